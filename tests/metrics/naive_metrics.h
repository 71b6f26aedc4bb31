#pragma once
/// The definitions of scikit-learn written down literally, with whole arrays and no care for speed: what ranking.cpp is
/// compared with.
#include "metrics/ranking.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace nearfar::testing {

/// Cumulative counts of positives and negatives at each distinct score, from the highest down.
struct BinaryCurve {
  std::vector<double> positives, negatives;
};

template <class T>
BinaryCurve binary_curve(const std::vector<T>& positive, const std::vector<T>& negative) {
  std::vector<std::pair<T, bool>> all;
  for (const T score : positive) all.emplace_back(score, true);
  for (const T score : negative) all.emplace_back(score, false);
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  BinaryCurve curve;
  double positives = 0, negatives = 0;
  for (std::size_t k = 0; k < all.size(); ++k) {
    ++(all[k].second ? positives : negatives);
    if (k + 1 == all.size() || all[k + 1].first != all[k].first) {
      curve.positives.push_back(positives);
      curve.negatives.push_back(negatives);
    }
  }
  return curve;
}

inline double trapezoids(const std::vector<double>& x, const std::vector<double>& y) {
  double area = 0;
  for (std::size_t k = 1; k < x.size(); ++k) area += (x[k] - x[k - 1]) * (y[k] + y[k - 1]) / 2;
  return area;
}

/// precision_recall_curve and auc.
template <class T>
double naive_aupr(const std::vector<T>& positive, const std::vector<T>& negative) {
  const BinaryCurve curve = binary_curve(positive, negative);
  std::vector<double> recall{0}, precision{1};
  for (std::size_t k = 0; k < curve.positives.size(); ++k) {
    recall.push_back(curve.positives[k] / curve.positives.back());
    precision.push_back(curve.positives[k] / (curve.positives[k] + curve.negatives[k]));
  }
  return trapezoids(recall, precision);
}

/// roc_curve with or without drop_intermediate, then the first point with tpr >= 0.95.
template <class T>
double naive_fpr95(const std::vector<T>& id, const std::vector<T>& ood, bool drop_intermediate) {
  const BinaryCurve curve = binary_curve(ood, id);
  const auto& tps = curve.positives;
  const auto& fps = curve.negatives;
  for (std::size_t k = 0; k < tps.size(); ++k) {
    const bool inner = k > 0 && k + 1 < tps.size();
    const auto bend = [k](const std::vector<double>& counts) { return counts[k + 1] - 2 * counts[k] + counts[k - 1]; };
    if (drop_intermediate && inner && bend(fps) == 0 && bend(tps) == 0) continue;
    if (tps[k] / tps.back() >= 0.95) return fps[k] / fps.back();
  }
  return 1;
}

/// By comparing every pair.
template <class T>
double naive_auroc(const std::vector<T>& id, const std::vector<T>& ood) {
  double won = 0;
  for (const T low : id) {
    for (const T high : ood) won += high > low ? 1 : high == low ? 0.5 : 0;
  }
  return won / (static_cast<double>(id.size()) * static_cast<double>(ood.size()));
}

template <class T>
std::vector<T> negated(std::vector<T> scores) {
  for (T& score : scores) score = -score;
  return scores;
}

template <class T>
OodMetrics naive_metrics(const std::vector<T>& id, const std::vector<T>& ood) {
  return {.n_id = id.size(),
          .n_ood = ood.size(),
          .auroc = naive_auroc(id, ood),
          .fpr95 = naive_fpr95(id, ood, true),
          .aupr_in = naive_aupr(negated(id), negated(ood)),
          .aupr_out = naive_aupr(ood, id)};
}

}  // namespace nearfar::testing
