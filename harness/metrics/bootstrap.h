#pragma once
/// How far the difference of two methods would move with other images of the same kind, by drawing images with
/// replacement (Efron 1979). For metrics that have no formula as AUROC has (auroc_parts.h). Safe from any thread.
#include <cstdint>
#include <span>
#include <vector>

namespace nearfar {

/// Scores that two methods gave to the same images: a and b of one side are as long as each other, in the same order.
/// Spans are borrowed.
struct PairedScores {
  std::span<const double> id_a = {}, id_b = {};
  std::vector<std::span<const double>> ood_a = {}, ood_b = {};  ///< by set
};

struct MetricVariances {
  double auroc = 0, fpr95 = 0, aupr_in = 0, aupr_out = 0;
};

/// Variance over `resamples` of the mean over seeds of the mean over sets of (metric of b − metric of a). Every
/// resample draws as many images of each side and set as there are, the same for all seeds and both methods; a draw
/// depends on `random` and its number alone, so that the result is the same with any number of threads (0: as many as
/// there are processors). Metrics are those of ranking.h, on the resampled scores. Error(data) where sides do not fit,
/// are empty or have a NaN or an infinity; fewer than two resamples are a programming error.
MetricVariances bootstrap_variances(std::span<const PairedScores> seeds, int resamples, std::uint64_t random,
                                    int threads = 0);

}  // namespace nearfar
