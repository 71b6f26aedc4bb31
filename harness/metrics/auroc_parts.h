#pragma once
/// What every image adds to an AUROC, and how far an AUROC would move with other images of the same kind. Pure, safe
/// from any thread. Scores: higher = more out-of-distribution; ties count one half.
///
/// DeLong, DeLong and Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver operating
/// characteristic curves", eq. 3 to 6. The mean over several OOD sets of one ID side is a sum of such statistics, whose
/// ID parts are averaged: no normal distribution of scores is assumed, only many images.
#include <cstddef>
#include <span>
#include <vector>

namespace nearfar {

/// Linear: differences of methods and means over seeds are made by add(), and variance() is that of the combination,
/// with what the same images have in common.
struct AurocParts {
  double auroc = 0;        ///< mean over the sets, a fraction
  std::vector<double> id;  ///< of each ID image: mean over the sets of the share of OOD scores above its own
  /// of each set, of each image: share of ID scores below its own, divided by the number of sets
  std::vector<std::vector<double>> ood;

  /// Adds `weight` times the other. Error(data) if the numbers of images or sets differ; one that is empty takes them.
  void add(const AurocParts& other, double weight);
  /// Of `auroc`, through the choice of images: sum over sides of the sample variance (n - 1) of their parts, divided by
  /// their number. 0 for a side of one image.
  double variance() const;
};

/// O(n log n). Error(data) if there are no sets, or a side is empty or has a NaN or an infinity.
AurocParts auroc_parts(std::span<const double> id, std::span<const std::span<const double>> ood);

}  // namespace nearfar
