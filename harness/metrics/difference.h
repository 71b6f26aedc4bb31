#pragma once
/// Whether a difference is real: intervals of paired differences, and tests over data sets. Pure, safe from any thread.
#include <cstddef>
#include <span>
#include <vector>

namespace nearfar {

/// Of a mean of differences, with the range in which that of other seeds and other images would lie.
struct Difference {
  double estimate = 0, low = 0, high = 0;  ///< unit of the differences
  double p = 1;                            ///< two-sided: how often chance alone does as much
  double seed_variance = 0;                ///< of the mean, through seeds: sample variance (n - 1) / n
  double image_variance = 0;               ///< of the mean, through the choice of images
  std::size_t seeds = 0;
};

/// `by_seed`: difference of each seed, trained and scored alike otherwise; at least one. `image_variance`: of their
/// mean (auroc_parts.h, bootstrap.h). Both variances are added: part of the images' is in that of the seeds, too, so
/// the interval is a little wide rather than narrow. Student's t with Welch and Satterthwaite's degrees of freedom
/// (Satterthwaite 1946), the images' taken as known; one seed: the images alone, by the normal distribution, and the
/// interval says nothing of other seeds. `alpha` in (0, 1): 1 - alpha is the interval's level. Error(data) for no
/// differences or one that is not finite.
Difference paired_difference(std::span<const double> by_seed, double image_variance, double alpha = 0.05);

/// Wilcoxon's signed-rank test (1945) of paired differences over data sets, two-sided.
struct SignedRank {
  double w = 0;  ///< sum of ranks of positive differences
  double p = 1;
  std::size_t n = 0;   ///< differences that are not zero
  bool exact = false;  ///< else by the normal distribution, with the correction for ties
};

/// Zeros are dropped, tied ranks averaged. Exact up to 50 differences, also with ties; above, without a continuity
/// correction. As scipy.stats.wilcoxon with zero_method "wilcox", which takes the normal distribution sooner where
/// there are ties. Fewer than six cannot be significant at 5 %: p is what it is.
SignedRank wilcoxon(std::span<const double> differences);

/// Holm's step-down adjustment (1979): in the order given, each at most 1.
std::vector<double> holm(std::span<const double> p);

}  // namespace nearfar
