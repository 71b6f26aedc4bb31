#include "augmented_batch.h"

#include "base/error.h"
#include "train/random.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace nearfar {
namespace {

struct Draw {
  std::int64_t rows = 0, columns = 0;  ///< the image moves down and right by these
  bool flip = false;
};

Draw draw(const Augmentation& augmentation, std::uint64_t seed, std::int64_t epoch, std::int64_t index, int view) {
  const auto shift = [&](RandomPurpose purpose) {
    const auto choices = static_cast<std::uint64_t>(2 * augmentation.shift + 1);
    return static_cast<std::int64_t>(bounded(random_bits(seed, purpose, epoch, index, view), choices)) -
           augmentation.shift;
  };
  return {shift(RandomPurpose::shift_rows), shift(RandomPurpose::shift_columns),
          augmentation.flip && (random_bits(seed, RandomPurpose::flip, epoch, index, view) >> 63) != 0};
}

/// One image, channels last in memory before and after.
void write_image(const ImageView& images, std::int64_t index, const Draw& move, const std::vector<float>& table,
                 float* out) {
  const std::int64_t channels = images.channels, height = images.height, width = images.width;
  const std::uint8_t* in = images.pixels.data() + index * height * width * channels;
  for (std::int64_t y = 0; y < height; ++y) {
    const std::int64_t from_y = y - move.rows;
    const bool row_there = 0 <= from_y && from_y < height;
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t shifted = x - move.columns;
      const bool there = row_there && 0 <= shifted && shifted < width;
      const std::int64_t from_x = move.flip ? width - 1 - shifted : shifted;
      const std::uint8_t* pixel = there ? in + (from_y * width + from_x) * channels : nullptr;
      for (std::int64_t c = 0; c < channels; ++c)
        *out++ = table[static_cast<std::size_t>(256 * c + (there ? pixel[c] : 0))];
    }
  }
}

}  // namespace

at::Tensor augmented_batch(const ImageView& images, std::span<const std::int64_t> indices,
                           const Augmentation& augmentation, int views, std::uint64_t seed, std::int64_t epoch) {
  NEARFAR_ASSERT(augmentation.shift >= 0 && views >= 1);
  const auto rows = static_cast<std::int64_t>(indices.size()) * views;
  at::Tensor batch =
      at::empty({rows, images.channels, images.height, images.width}, at::kFloat, at::MemoryFormat::ChannelsLast);
  float* out = batch.mutable_data_ptr<float>();
  const std::vector<float> table = normalization_table(images);
  for (int view = 0; view < views; ++view) {
    for (const std::int64_t index : indices) {
      NEARFAR_ASSERT(0 <= index && index < images.count);
      write_image(images, index, draw(augmentation, seed, epoch, index, view), table, out);
      out += images.channels * images.height * images.width;
    }
  }
  return batch;
}

}  // namespace nearfar
