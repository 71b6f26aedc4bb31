#pragma once
/// What every kernel of nearfar::augment and nearfar::normalize starts with: the checks, the result's tensor, and the
/// job of raw pointers. Included by the operators' own files only.
#include "kernels/augment_body.h"
#include "kernels/normalize_body.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

namespace nearfar {

/// The arguments of nearfar::augment, in the order of its schema.
struct AugmentArguments {
  const at::Tensor &pixels, &indices, &table, &epoch;
  std::int64_t seed, views, shift;
  double smallest_crop;
  bool flip;
  c10::ArrayRef<double> jitter;  ///< brightness, contrast, saturation, hue
  double jitter_share, gray_share;
};

inline void check_normalize(const at::Tensor& pixels, const at::Tensor& table) {
  TORCH_CHECK(pixels.dim() == 4 && pixels.scalar_type() == at::kByte && pixels.is_contiguous(),
              "pixels are not [N,H,W,C] uint8, contiguous, but ", pixels.sizes(), " ", pixels.scalar_type());
  TORCH_CHECK(table.dim() == 2 && table.size(0) == pixels.size(3) && table.size(1) == 256 &&
                  table.scalar_type() == at::kFloat && table.is_contiguous(),
              "the table is not [C,256] float32 of ", pixels.size(3), " channels, but ", table.sizes(), " ",
              table.scalar_type());
  TORCH_CHECK(table.device() == pixels.device(), "the table is on ", table.device(), ", the pixels on ",
              pixels.device());
}

inline void check_augment(const AugmentArguments& a) {
  check_normalize(a.pixels, a.table);
  TORCH_CHECK(a.indices.dim() == 1 && a.indices.scalar_type() == at::kLong && a.indices.is_contiguous(),
              "indices are not [B] int64, contiguous, but ", a.indices.sizes(), " ", a.indices.scalar_type());
  TORCH_CHECK(a.epoch.numel() == 1 && a.epoch.scalar_type() == at::kLong, "the epoch is not one int64");
  TORCH_CHECK(a.indices.device() == a.pixels.device() && a.epoch.device() == a.pixels.device(), "indices on ",
              a.indices.device(), ", epoch on ", a.epoch.device(), ", pixels on ", a.pixels.device());
  constexpr std::int64_t kMost = 1 << 20;  // of a side or an area's 32 bits, by far
  TORCH_CHECK(a.pixels.size(1) * a.pixels.size(2) < (std::int64_t{1} << 31) / 3, "images of ", a.pixels.size(1), " x ",
              a.pixels.size(2), " are too large");
  TORCH_CHECK(a.views >= 1 && a.views < kMost && a.shift >= 0 && a.shift < kMost, a.views, " views, shift ", a.shift);
  const auto share = [](double x) { return x >= 0 && x <= 1; };
  TORCH_CHECK(a.smallest_crop > 0 && a.smallest_crop <= 1 && share(a.jitter_share) && share(a.gray_share),
              "smallest crop ", a.smallest_crop, ", jitter ", a.jitter_share, ", grey ", a.gray_share,
              ": expected shares");
  TORCH_CHECK(a.smallest_crop == 1 || a.shift == 0, "a shift or a resized crop, not both");
  TORCH_CHECK(a.jitter.size() == 4, "jitter has four numbers, not ", a.jitter.size());
  for (const double x : a.jitter) TORCH_CHECK(x >= 0 && x < 256, "jitter ", x, ": expected 0 or more");
  TORCH_CHECK(a.jitter[3] <= 0.5, "hue jitter ", a.jitter[3], ": expected 0 to 0.5");
  TORCH_CHECK((a.jitter_share == 0 && a.gray_share == 0) || a.pixels.size(3) == 1 || a.pixels.size(3) == 3,
              "colour jitter and grey are for images of one or three channels, not ", a.pixels.size(3));
}

/// The result, not yet filled.
inline at::Tensor image_batch(std::int64_t images, const at::Tensor& pixels, const at::Tensor& table) {
  return at::empty({images, pixels.size(3), pixels.size(1), pixels.size(2)}, table.options(),
                   at::MemoryFormat::ChannelsLast);
}

/// After check_normalize(). Borrows all tensors.
inline NormalizeJob normalize_job(const at::Tensor& pixels, const at::Tensor& table, const at::Tensor& out) {
  return {.pixels = pixels.const_data_ptr<std::uint8_t>(),
          .table = table.const_data_ptr<float>(),
          .out = out.mutable_data_ptr<float>(),
          .bytes = pixels.numel(),
          .channels = static_cast<std::int32_t>(pixels.size(3))};
}

/// After check_augment(). Borrows all tensors.
inline AugmentJob augment_job(const AugmentArguments& a, const at::Tensor& out) {
  return {.pixels = a.pixels.const_data_ptr<std::uint8_t>(),
          .indices = a.indices.const_data_ptr<std::int64_t>(),
          .table = a.table.const_data_ptr<float>(),
          .epoch = a.epoch.const_data_ptr<std::int64_t>(),
          .out = out.mutable_data_ptr<float>(),
          .count = a.pixels.size(0),
          .rows = a.indices.size(0),
          .height = static_cast<std::int32_t>(a.pixels.size(1)),
          .width = static_cast<std::int32_t>(a.pixels.size(2)),
          .channels = static_cast<std::int32_t>(a.pixels.size(3)),
          .views = static_cast<std::int32_t>(a.views),
          .seed = static_cast<std::uint64_t>(a.seed),
          .shift = static_cast<std::int32_t>(a.shift),
          .flip = a.flip,
          .smallest_crop = static_cast<float>(a.smallest_crop),
          .brightness = static_cast<float>(a.jitter[0]),
          .contrast = static_cast<float>(a.jitter[1]),
          .saturation = static_cast<float>(a.jitter[2]),
          .hue = static_cast<float>(a.jitter[3]),
          .jitter_share = static_cast<float>(a.jitter_share),
          .gray_share = static_cast<float>(a.gray_share)};
}

}  // namespace nearfar
