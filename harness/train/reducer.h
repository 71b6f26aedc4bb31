#pragma once
/// Gradients of all ranks, summed while the backward pass still computes the others.
#include "models/named_tensor.h"
#include "train/ranks.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace nearfar {

/// One thread; one at a time for a parameter. The parameters outlive it.
class GradientReducer {
 public:
  /// Gradients travel in buckets of about `bucket_bytes`, the last parameters' first: a backward pass ends with those
  /// of the first layers.
  GradientReducer(RankGroup& group, std::vector<NamedTensor> parameters, std::int64_t bucket_bytes = 8 << 20);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  /// Before the backward pass after which gradients are whole: a bucket is sent as soon as it is full.
  void begin();
  /// After it: every gradient is the sum over all ranks. A parameter without a gradient has none on any rank.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nearfar
