#pragma once
/// The largest softmax probability of each row, the same on every processor.
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace nearfar::common {

/// logits [N,C] float32, C >= 1 -> [N] float32: max softmax(z) = 1 / sum exp(z - max z). Confident images saturate a
/// few units of the last place below 1, where the order of the additions decides which images tie, and ties move
/// FPR@95. at::softmax adds in the order of the processor's vectors; this is the order of vectors of 16 (AVX-512), on
/// which the board's and the golden numbers were made: fewer than 16 classes one after the other; from 16 on in 16
/// lanes, which are then folded in halves.
inline at::Tensor largest_probability(const at::Tensor& logits) {
  constexpr std::int64_t kLanes = 16;
  const at::Tensor parts = logits.sub(logits.amax(1, true)).exp_();
  const std::int64_t classes = parts.size(1);
  if (classes < kLanes) {
    at::Tensor sum = parts.select(1, 0).clone();
    for (std::int64_t c = 1; c < classes; ++c) sum.add_(parts.select(1, c));
    return sum.reciprocal_();
  }
  at::Tensor lanes = parts.narrow(1, 0, kLanes).clone();
  std::int64_t done = kLanes;
  for (; done + kLanes <= classes; done += kLanes) lanes.add_(parts.narrow(1, done, kLanes));
  lanes.narrow(1, 0, classes - done).add_(parts.narrow(1, done, classes - done));
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2)
    lanes = lanes.narrow(1, 0, half).add(lanes.narrow(1, half, half));
  return lanes.squeeze(1).reciprocal_();
}

}  // namespace nearfar::common
