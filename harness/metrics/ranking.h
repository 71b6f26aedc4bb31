#pragma once
/// Ranking metrics over two score arrays, in OpenOOD v1.5's conventions. Pure functions: no torch, no I/O, safe from
/// any thread.
///
/// Higher score = more out-of-distribution; OOD is the positive class (but for aupr_in). Equal scores, -0.0 and 0.0
/// among them, are one point of every curve. The definitions are scikit-learn's, as openood/evaluators/metrics.py of
/// OpenOOD v1.5 calls them: roc_curve, precision_recall_curve, auc.
#include "metrics/sorted_scores.h"

#include <cstddef>
#include <span>

namespace nearfar {

/// Fractions in [0, 1].
struct OodMetrics {
  std::size_t n_id = 0, n_ood = 0;
  double auroc = 0;  ///< area under the ROC curve, by trapezoids: a tie of an ID and an OOD score counts one half
  double fpr95 = 0;  ///< share of *ID* flagged at the first kept ROC point that catches >= 95 % of the OOD scores; no
                     ///< interpolation. "Kept": roc_curve drops points inside runs of equal steps, which can move this
                     ///< value where scores tie
  double aupr_in =
      0;  ///< ID positive, low scores first: area under (recall, precision) by trapezoids, from the point (0, 1)
  double aupr_out = 0;  ///< OOD positive, high scores first; likewise. Neither is the step-wise "average precision"
};

/// O(n). Throws Error(data) if a side is empty or has a NaN or an infinity, saying which side, and the index and the
/// value.
OodMetrics ood_metrics(std::span<const float> id, std::span<const float> ood);
OodMetrics ood_metrics(std::span<const double> id, std::span<const double> ood);  // never narrowed

/// The same numbers, bit for bit, where one ID side meets many OOD sets: the ID side is sorted once.
OodMetrics ood_metrics(const SortedScores<float>& id, std::span<const float> ood);
OodMetrics ood_metrics(const SortedScores<double>& id, std::span<const double> ood);
OodMetrics ood_metrics(const SortedScores<float>& id, const SortedScores<float>& ood);
OodMetrics ood_metrics(const SortedScores<double>& id, const SortedScores<double>& ood);

/// One number alone; costs what ood_metrics() costs, the sort being most of it.
double auroc(std::span<const float> id, std::span<const float> ood);
double auroc(std::span<const double> id, std::span<const double> ood);

}  // namespace nearfar
