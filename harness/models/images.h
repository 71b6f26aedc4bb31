#pragma once
/// A borrowed set of decoded images, and the test transform: uint8 -> /255 -> normalised. Pure functions, safe from any
/// thread.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace nearfar {

/// Pixels and labels belong to the caller and outlive the view.
struct ImageView {
  std::span<const std::uint8_t> pixels;  ///< [count, height, width, channels], contiguous
  std::span<const std::int64_t> labels;  ///< [count]; 0 <= label < classes in-distribution, -1 out-of-distribution
  std::int64_t count = 0, channels = 0, height = 0, width = 0;
  std::vector<double> mean, std;  ///< one per channel, on the scale 0 to 1
};

/// Throws Error(data) unless sizes agree, no dimension is negative, and mean and std have one finite value per channel
/// (std > 0).
void check_images(const ImageView& images);

/// (v / 255 - mean) / std of all 256 pixel values of each channel: [channels * 256], every step in float32, as
/// torchvision's ToTensor and Normalize do it, to the bit.
std::vector<float> normalization_table(const ImageView& images);

/// Images first <= i < last, under the test transform: [last - first, channels, height, width] float32 in channels-last
/// memory.
at::Tensor test_batch(const ImageView& images, std::int64_t first, std::int64_t last);

/// The images themselves, not copied: [last - first, height, width, channels] uint8 on the host, valid as long as
/// `images` is.
at::Tensor pixel_tensor(const ImageView& images, std::int64_t first, std::int64_t last);

/// normalization_table() as a tensor on a device: [channels, 256] float32.
at::Tensor table_tensor(const ImageView& images, at::Device device);

/// [count] int64, a copy.
at::Tensor label_tensor(const ImageView& images);

}  // namespace nearfar
