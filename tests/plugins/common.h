#pragma once
/// What the tests of single plugins share: the built plugin by name, tensors by value, and a random model's features.
#include "base/npy.h"
#include "host/call.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar::testing {

inline LoadedPlugin plugin(const std::string& name) {
  return load_plugin(binary_dir() / "lib/nearfar/plugins" / (name + ".so"));
}
inline PostprocessorHandle postprocessor(const std::string& name, const ParamMap& params = {}) {
  return {plugin(name), params, "test"};
}
inline LossHandle loss(const std::string& name, const ParamMap& params = {}) { return {plugin(name), params, "test"}; }

/// [rows, columns] float32 from values in row order.
inline at::Tensor matrix(std::vector<float> values, std::int64_t rows) {
  const auto columns = static_cast<std::int64_t>(values.size()) / rows;
  return at::from_blob(values.data(), {rows, columns}, at::kFloat).clone();
}
inline at::Tensor labels(std::vector<std::int64_t> values) {
  return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kLong).clone();
}

inline at::Tensor normalized(const at::Tensor& features) {
  return features.div(features.norm(2, {1}, true).clamp_min(1e-12));
}

/// Features with what is derived from them.
inline FeatureBatch features(const at::Tensor& raw, const at::Tensor& its_labels = {}) {
  FeatureBatch batch;
  batch.features = raw;
  batch.normalized = normalized(raw);
  batch.labels = its_labels;
  return batch;
}

/// A copy of the array: float32 as it is, float64 rounded to it, int32 and int64 as int64.
inline at::Tensor tensor(const std::filesystem::path& file) {
  const NpyArray array(file);
  const auto read = [&]<class T>(at::ScalarType type) {
    const std::span<const T> values = array.values<T>(array.shape().size());
    return at::from_blob(const_cast<T*>(values.data()), array.shape(), at::TensorOptions(type)).clone();
  };
  if (array.type() == NpyType::int64) return read.operator()<std::int64_t>(at::kLong);
  if (array.type() == NpyType::float64) return read.operator()<double>(at::kDouble).toType(at::kFloat);
  if (array.type() == NpyType::int32) return read.operator()<std::int32_t>(at::kInt).toType(at::kLong);
  return read.operator()<float>(at::kFloat);
}

inline void expect_near(const at::Tensor& found, const std::vector<double>& wanted, double tolerance) {
  ASSERT_EQ(found.numel(), static_cast<std::int64_t>(wanted.size()));
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(found[static_cast<std::int64_t>(i)].item<double>(), wanted[i], tolerance) << "row " << i;
}

/// max |a - b| / max |b|.
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.toType(at::kDouble).sub(b.toType(at::kDouble)).abs().max().item<double>() /
         std::max(b.abs().max().item<double>(), 1e-12);
}

inline FeatureBatch narrow(const FeatureBatch& batch, std::int64_t first, std::int64_t count) {
  const auto part = [&](const at::Tensor& whole) { return whole.defined() ? whole.narrow(0, first, count) : whole; };
  return {part(batch.features), part(batch.normalized), part(batch.logits), part(batch.labels)};
}

/// The contract of score(): any split of a batch, down to single rows and none, gives the same scores, and the inputs
/// stay as they were.
inline void expect_rows_independent(const PostprocessorHandle& scorer, const FeatureBatch& batch, double tolerance) {
  const auto parts = [](const FeatureBatch& of) {
    return std::vector<at::Tensor>{of.features, of.normalized, of.logits};
  };
  std::vector<at::Tensor> before;
  for (const at::Tensor& part : parts(batch)) before.push_back(part.defined() ? part.clone() : part);
  const std::int64_t count = rows(batch);
  const at::Tensor whole = scorer.score(batch);
  for (const std::int64_t step : {std::int64_t{1}, std::int64_t{3}, count / 2 + 1}) {
    for (std::int64_t first = 0; first < count; first += step) {
      const std::int64_t here = std::min(step, count - first);
      EXPECT_LE(relative_difference(scorer.score(narrow(batch, first, here)), whole.narrow(0, first, here)), tolerance)
          << "rows " << first << " to " << first + here;
    }
  }
  EXPECT_EQ(scorer.score(narrow(batch, 0, 0)).numel(), 0);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_TRUE(!before[i].defined() || parts(batch)[i].equal(before[i])) << "input changed";
}

}  // namespace nearfar::testing
