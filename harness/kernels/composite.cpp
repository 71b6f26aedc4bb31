#include "kernels/composite.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/where.h>

namespace nearfar::composite {
namespace {

/// A 64-bit word as tensors hold it. Their sums and products wrap, as the unsigned ones of the loop do.
std::int64_t word(std::uint64_t x) { return static_cast<std::int64_t>(x); }

/// x >> places of the word as an unsigned one.
at::Tensor shifted_down(const at::Tensor& x, std::int64_t places) {
  return x.bitwise_right_shift(places).bitwise_and(word((std::uint64_t{1} << (64 - places)) - 1));
}

/// base/random.h's splitmix64.
at::Tensor mixed(const at::Tensor& state) {
  at::Tensor x = state.add(word(0x9e3779b97f4a7c15U));
  x = x.bitwise_xor(shifted_down(x, 30)).mul(word(0xbf58476d1ce4e5b9U));
  x = x.bitwise_xor(shifted_down(x, 27)).mul(word(0x94d049bb133111ebU));
  return x.bitwise_xor(shifted_down(x, 31));
}

/// augmentation::Counter::bits of every view of every image: [views * B].
at::Tensor bits(const AugmentArguments& a, std::uint64_t purpose) {
  const std::uint64_t start = splitmix64(splitmix64(static_cast<std::uint64_t>(a.seed)) ^ purpose);
  const at::Tensor of_epoch = mixed(a.epoch.flatten().bitwise_xor(word(start)));                     // [1]
  const at::Tensor of_view = mixed(at::arange(a.views, a.indices.options()).bitwise_xor(of_epoch));  // [V]
  return mixed(of_view.unsqueeze(1).bitwise_xor(a.indices.unsqueeze(0))).flatten();
}

/// high_product(bits, bound) of a bound below 2^31: both halves of the bits apart, so that no product overflows.
at::Tensor below(const at::Tensor& bits, std::int64_t bound) {
  const at::Tensor low = bits.bitwise_and(word(0xffffffffU)).mul(bound);
  return shifted_down(bits, 32).mul(bound).add(low.bitwise_right_shift(32)).bitwise_right_shift(32);
}

/// Table entries of pixel values: [N,H,W,C] int64 -> [N,C,H,W] float32, channels-last.
at::Tensor looked_up(const at::Tensor& values, const at::Tensor& table) {
  const at::Tensor entry = values.add(at::arange(values.size(3), values.options()).mul(256));
  return table.flatten().index_select(0, entry.flatten()).view(values.sizes()).permute({0, 3, 1, 2});
}

}  // namespace

at::Tensor normalize(const at::Tensor& pixels, const at::Tensor& table) {
  check_normalize(pixels, table);
  return looked_up(pixels.toType(at::kLong), table);
}

at::Tensor augment(const AugmentArguments& a) {
  check_augment(a);
  TORCH_CHECK_NOT_IMPLEMENTED(a.smallest_crop == 1 && a.jitter_share == 0 && a.gray_share == 0,
                              "resized crop, colour jitter and grey have no kernel on ", a.pixels.device(),
                              "; the CPU and CUDA have one");
  const std::int64_t height = a.pixels.size(1), width = a.pixels.size(2), channels = a.pixels.size(3);
  const at::Tensor rows = below(bits(a, augmentation::kShiftRows), 2 * a.shift + 1).sub(a.shift);
  const at::Tensor columns = below(bits(a, augmentation::kShiftColumns), 2 * a.shift + 1).sub(a.shift);
  const auto whole = a.indices.options();
  const at::Tensor y = at::arange(height, whole).unsqueeze(0).sub(rows.unsqueeze(1));        // [V*B,H]
  const at::Tensor moved = at::arange(width, whole).unsqueeze(0).sub(columns.unsqueeze(1));  // [V*B,W]
  at::Tensor x = moved;
  if (a.flip) {
    const at::Tensor flip = bits(a, augmentation::kFlip).lt(0).unsqueeze(1);  // the highest bit
    x = at::where(flip, moved.neg().add(width - 1), moved);
  }
  const at::Tensor row_there = y.ge(0).logical_and(y.lt(height)),
                   column_there = moved.ge(0).logical_and(moved.lt(width));
  const at::Tensor there = row_there.unsqueeze(2).logical_and(column_there.unsqueeze(1));  // [V*B,H,W]
  const at::Tensor first = a.indices.repeat({a.views}).mul(height * width).view({-1, 1, 1});
  const at::Tensor from =
      first.add(y.clamp(0, height - 1).mul(width).unsqueeze(2)).add(x.clamp(0, width - 1).unsqueeze(1));
  const at::Tensor values = a.pixels.view({-1, channels}).index_select(0, from.flatten()).toType(at::kLong);
  return looked_up(values.mul(there.view({-1, 1})).view({first.size(0), height, width, channels}), a.table);
}

}  // namespace nearfar::composite
