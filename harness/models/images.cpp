#include "models/images.h"

#include "base/error.h"
#include "device/transfer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar {

void check_images(const ImageView& images) {
  const auto fail = [](const std::string& what) { throw Error(ErrorKind::data, "image set: " + what); };
  if (images.count < 0 || images.channels < 1 || images.height < 1 || images.width < 1) {
    fail(fmt::format("{} images of {} x {} x {}", images.count, images.channels, images.height, images.width));
  }
  const auto expected = static_cast<std::size_t>(images.count * images.channels * images.height * images.width);
  if (images.pixels.size() != expected)
    fail(fmt::format("{} bytes of pixels, expected {}", images.pixels.size(), expected));
  if (images.labels.size() != static_cast<std::size_t>(images.count)) {
    fail(fmt::format("{} labels for {} images", images.labels.size(), images.count));
  }
  const auto channels = static_cast<std::size_t>(images.channels);
  if (images.mean.size() != channels || images.std.size() != channels) {
    fail(fmt::format("{} means and {} standard deviations for {} channels", images.mean.size(), images.std.size(),
                     channels));
  }
  for (std::size_t c = 0; c < channels; ++c) {
    if (!std::isfinite(images.mean[c]) || !std::isfinite(images.std[c]) || images.std[c] <= 0) {
      fail(fmt::format("channel {} has mean {} and standard deviation {}", c, images.mean[c], images.std[c]));
    }
  }
}

std::vector<float> normalization_table(const ImageView& images) {
  std::vector<float> table;
  for (std::size_t c = 0; c < static_cast<std::size_t>(images.channels); ++c) {
    const auto mean = static_cast<float>(images.mean[c]), deviation = static_cast<float>(images.std[c]);
    for (int value = 0; value < 256; ++value) table.push_back((static_cast<float>(value) / 255.0F - mean) / deviation);
  }
  return table;
}

at::Tensor test_batch(const ImageView& images, std::int64_t first, std::int64_t last) {
  NEARFAR_ASSERT(0 <= first && first <= last && last <= images.count);
  const std::int64_t channels = images.channels, area = images.height * images.width;
  at::Tensor batch =
      at::empty({last - first, channels, images.height, images.width}, at::kFloat, at::MemoryFormat::ChannelsLast);
  float* out = batch.mutable_data_ptr<float>();
  const std::vector<float> table = normalization_table(images);
  const std::uint8_t* in = images.pixels.data() + first * channels * area;
  const std::int64_t pixels = (last - first) * area;
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t c = 0; c < channels; ++c) *out++ = table[static_cast<std::size_t>(256 * c + *in++)];
  }
  return batch;
}

at::Tensor pixel_tensor(const ImageView& images, std::int64_t first, std::int64_t last) {
  NEARFAR_ASSERT(0 <= first && first <= last && last <= images.count);
  const std::uint8_t* begin = images.pixels.data() + first * images.channels * images.height * images.width;
  return at::from_blob(const_cast<std::uint8_t*>(begin), {last - first, images.height, images.width, images.channels},
                       at::kByte);
}

at::Tensor table_tensor(const ImageView& images, at::Device device) {
  std::vector<float> table = normalization_table(images);
  const at::Tensor host = at::from_blob(table.data(), {images.channels, 256}, at::kFloat).clone();
  return upload(host, device);
}

at::Tensor label_tensor(const ImageView& images) {
  at::Tensor labels = at::empty({images.count}, at::kLong);
  std::copy(images.labels.begin(), images.labels.end(), labels.mutable_data_ptr<std::int64_t>());
  return labels;
}

}  // namespace nearfar
