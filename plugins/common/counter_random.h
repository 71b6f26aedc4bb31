#pragma once
/// Random numbers without state: a number is a function of a seed and of what it is for, so it does not depend on
/// batches, threads or order. Integer arithmetic modulo 2^64 with tensor operations: the same bits on every device.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>

#include <cstdint>

namespace nearfar::common {

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014), on int64 in place: every bit of the result depends on
/// every bit of `x`.
inline at::Tensor mix_(at::Tensor x) {
  const auto fold = [&x](std::int64_t shift) {  // x ^= x >> shift, without the sign's copies
    const at::Tensor shifted = x.__rshift__(shift).bitwise_and_((std::int64_t{1} << (64 - shift)) - 1);
    x.bitwise_xor_(shifted);
  };
  fold(30);
  x.mul_(static_cast<std::int64_t>(0xbf58476d1ce4e5b9u));
  fold(27);
  x.mul_(static_cast<std::int64_t>(0x94d049bb133111ebu));
  fold(31);
  return x;
}

/// [count] int64: well mixed, different for every index and seed.
inline at::Tensor mixed_indices(std::int64_t count, std::int64_t seed, const at::TensorOptions& options) {
  const at::Tensor steps =
      at::arange(1, count + 1, options.dtype(at::kLong)).mul_(static_cast<std::int64_t>(0x9e3779b97f4a7c15u));
  const at::Tensor start = mix_(at::full({}, seed, options.dtype(at::kLong)));
  return mix_(steps.add_(start));
}

/// [N] int64 key of each row's content: equal bits give equal keys, any other row another one (but for 2^-32). float32
/// [N,D]; `factors` [D] are mixed_indices().
inline at::Tensor row_keys(const at::Tensor& rows, const at::Tensor& factors) {
  const at::Tensor bits = rows.view(at::kInt).toType(at::kLong);
  return mix_(bits.mul(factors.bitwise_or(1)).sum(1));
}

}  // namespace nearfar::common
