#pragma once
/// How far the ranks of methods would move with other seeds and other images, and how sure it is that one is better
/// than another. Pure, safe from any thread.
///
/// Resamples, the same for all methods, as all were trained with the same seeds and scored the same images:
/// - Seeds are drawn with replacement (Efron 1979). Few seeds drawn so vary too little, by (n - 1) / n; every draw's
///   distance from the mean is stretched by sqrt(n / (n - 1)), so that the variance is the sample variance (n - 1) over
///   n (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", section 3.2). One seed says nothing of
///   others.
/// - Images: what each adds to the AUROC (auroc_parts.h), less the mean of its side, is added or taken away by the toss
///   of a coin: the multiplier bootstrap (van der Vaart and Wellner 1996, section 2.9) with signs. The variance is that
///   of AurocParts::variance() of the mean over the seeds, what methods have in common through the images included. It
///   is linear, hence quick; it takes many images, as DeLong's variance does.
/// The two are added, as in difference.h: part of the images' share is in the seeds' as well, so intervals are a little
/// wide. They say where one method's rank may lie, method by method, not where all lie at once; where methods are as
/// good as equal, an interval from resamples misses more often than it says (Hall and Miller 2009, "Using the bootstrap
/// to quantify the authority of an empirical ranking"): docs/comparing.md has what was measured.
#include "metrics/auroc_parts.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nearfar {

/// One method: what is ranked, higher is better.
struct RankedMethod {
  std::vector<double> by_seed = {};  ///< seeds in the same order for all methods; any unit if there are no images
  /// Sums over the seeds of the images' parts: of the ID side, then of each set. Empty: seeds alone. 4 bytes an image.
  std::vector<std::vector<float>> images = {};

  /// Adds a seed with its images. Both given: their average is what is ranked; one is nullptr: the other. Parts of both
  /// are of the same ID images. Error(data) where images differ from those of the seeds before, or seeds without images
  /// were added; none given is a programming error.
  void add_seed(const AurocParts* near, const AurocParts* far);
};

struct RankDraws {
  int resamples = 400;
  std::uint64_t random = 0;
  int threads = 0;  ///< 0: as many as there are processors; results are the same, bit for bit, with any number
};

/// What the methods reach in every resample.
struct Resampled {
  std::size_t methods = 0, resamples = 0;
  std::vector<double> values = {};  ///< [methods, resamples]
  std::vector<double> means = {};   ///< [methods]: over the seeds as they are

  std::span<const double> of(std::size_t method) const { return {values.data() + method * resamples, resamples}; }
};

/// O(methods × images × resamples); 64 draws share a pass over the images. Methods without images: seeds alone, at no
/// cost. A draw depends on `random`, its own number and the numbers of seeds and images, never on the methods: those of
/// a column may be drawn again, or two alone, and meet the same images. Error(data): no methods, one without seeds,
/// methods of different numbers of seeds or images, values that are not finite. Fewer than two resamples are a
/// programming error.
Resampled resample(std::span<const RankedMethod> methods, const RankDraws& draws = {});

/// From 1 = best.
struct RankInterval {
  int rank = 1;           ///< by the means; equal ones share the lower number, as on the leaderboard
  int low = 1, high = 1;  ///< the best and the worst rank left when (1 - level) / 2 of the resamples is cut off each
                          ///< end; ranks are counted as `rank` is
};

/// For every method. `level` in (0, 1), else a programming error.
std::vector<RankInterval> rank_intervals(const Resampled& resampled, double level = 0.95);

/// Share of the resamples in which method `a` is better than `b`; equal counts one half. 0.5 for a method and its copy.
/// A bound of 0.975 is that of a two-sided test at 5 %. An index that is too high is a programming error.
double probability_better(const Resampled& resampled, std::size_t a, std::size_t b);

}  // namespace nearfar
