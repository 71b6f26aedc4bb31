#include "metrics/aggregate.h"

#include <nearfar/error.h>

#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace nearfar {

MeanStd mean_std(std::span<const double> values) {
  if (values.empty()) throw Error(ErrorKind::data, "mean and deviation: there are no values; at least one is expected");
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {.mean = mean, .std = std::sqrt(squares / n), .n = values.size()};
}

OodMetrics mean_over_sets(std::span<const OodMetrics> sets) {
  if (sets.empty()) throw Error(ErrorKind::data, "mean over OOD sets: the group has no sets; at least one is expected");
  OodMetrics mean{.n_id = sets.front().n_id};
  for (const OodMetrics& set : sets) {
    if (set.n_id != mean.n_id) {
      throw Error(
          ErrorKind::data,
          fmt::format("mean over OOD sets: one set was compared with {} ID scores, another with {}; the same ID side "
                      "is expected",
                      mean.n_id, set.n_id));
    }
    mean.n_ood += set.n_ood;
    mean.auroc += set.auroc;
    mean.fpr95 += set.fpr95;
    mean.aupr_in += set.aupr_in;
    mean.aupr_out += set.aupr_out;
  }
  const auto n = static_cast<double>(sets.size());
  for (double* rate : {&mean.auroc, &mean.fpr95, &mean.aupr_in, &mean.aupr_out}) *rate /= n;
  return mean;
}

}  // namespace nearfar
