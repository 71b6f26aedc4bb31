#pragma once
/// The points of a ROC curve. Pure, safe from any thread. Higher score = more out-of-distribution; OOD is positive.
#include <span>
#include <vector>

namespace nearfar {

struct RocPoint {
  double fpr = 0;  ///< share of ID scores at or above a threshold
  double tpr = 0;  ///< share of OOD scores at or above it
};

/// From (0, 0) to (1, 1), one point for each distinct score from the highest down, without points in the middle of a
/// straight part. Its area by trapezoids is auroc() (ranking.h). Error(data) as there: a side is empty, or has a NaN
/// or an infinity.
std::vector<RocPoint> roc_curve(std::span<const double> id, std::span<const double> ood);

}  // namespace nearfar
