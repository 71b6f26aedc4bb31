#include "metrics/accuracy.h"

#include <nearfar/error.h>

#include <fmt/format.h>

#include <functional>
#include <numeric>

namespace nearfar {

double accuracy(std::span<const std::int64_t> predicted, std::span<const std::int64_t> labels) {
  if (predicted.size() != labels.size()) {
    throw Error(ErrorKind::data,
                fmt::format("accuracy: {} predictions for {} labels; one prediction per label is expected",
                            predicted.size(), labels.size()));
  }
  if (labels.empty()) throw Error(ErrorKind::data, "accuracy: there are no labels; at least one image is expected");
  const auto right =
      std::transform_reduce(predicted.begin(), predicted.end(), labels.begin(), std::int64_t{0}, std::plus<>(),
                            [](std::int64_t a, std::int64_t b) { return static_cast<std::int64_t>(a == b); });
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

}  // namespace nearfar
