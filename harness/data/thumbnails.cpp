#include "data/thumbnails.h"

#include "base/error.h"
#include "data/listed_set.h"
#include "pixels/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace nearfar {
namespace {

/// By means over boxes: quick, and good enough to recognise something.
RgbImage shrunk(const RgbImage& image) {
  const std::int64_t side = std::max(image.width, image.height);
  if (side <= kThumbnailSide) return image;
  RgbImage small;
  small.width = std::max<std::int64_t>(1, image.width * kThumbnailSide / side);
  small.height = std::max<std::int64_t>(1, image.height * kThumbnailSide / side);
  small.bytes.resize(static_cast<std::size_t>(small.width * small.height * 3));
  for (std::int64_t y = 0; y < small.height; ++y) {
    const std::int64_t top = y * image.height / small.height, bottom = (y + 1) * image.height / small.height;
    for (std::int64_t x = 0; x < small.width; ++x) {
      const std::int64_t left = x * image.width / small.width, right = (x + 1) * image.width / small.width;
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        std::int64_t sum = 0;
        for (std::int64_t row = top; row < bottom; ++row) {
          for (std::int64_t column = left; column < right; ++column)
            sum += image.bytes[static_cast<std::size_t>((row * image.width + column) * 3 + channel)];
        }
        small.bytes[static_cast<std::size_t>((y * small.width + x) * 3 + channel)] =
            static_cast<std::uint8_t>(sum / ((bottom - top) * (right - left)));
      }
    }
  }
  return small;
}

/// Of one image of a set in memory; gray ones get three equal channels.
RgbImage image_of(const ImageSet& set, std::int64_t index) {
  RgbImage image;
  image.width = set.width;
  image.height = set.height;
  const std::int64_t pixels = set.width * set.height;
  const std::uint8_t* from = set.pixels.data() + index * pixels * set.channels;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (std::int64_t channel = 0; channel < 3; ++channel)
      image.bytes.push_back(from[pixel * set.channels + std::min(channel, set.channels - 1)]);
  }
  return image;
}

void require_same(const std::string& set, std::int64_t found, std::int64_t count) {
  if (found == count) return;
  throw Error(ErrorKind::data, fmt::format("set {} has {} images here and {} scores: it is another one now; "
                                           "set data.root to the images that were scored",
                                           set, found, count));
}

Thumbnail of_file(const ListedSet& set, std::int64_t index) {
  Thumbnail thumbnail{.where = set.where(index) + " " + set.file(index)};
  try {
    std::vector<std::uint8_t> bytes;
    set.read(index, bytes);
    RgbImage image;
    decode_image(bytes, image);
    thumbnail.png = encode_png(shrunk(image));
  } catch (const Error&) {  // gone, or no image: the name is all there is
  }
  return thumbnail;
}

}  // namespace

std::map<std::int64_t, Thumbnail> thumbnails(const Benchmark& benchmark, const std::string& set_name,
                                             const LoadOptions& options, const std::vector<std::int64_t>& positions,
                                             std::int64_t count, const std::string& hash) {
  std::map<std::int64_t, Thumbnail> found;
  const auto is_within = [&](std::int64_t position) { return position >= 0 && position < count; };
  if (is_listed(benchmark.source(benchmark.set(set_name).source))) {
    LoadOptions quick = options;
    quick.identity = DataIdentity::stat;  // a few pictures are no reason to read all files
    const ListedSet set = open_listed_set(benchmark, set_name, quick);
    require_same(set_name, set.info.count, count);
    for (const std::int64_t position : positions) {
      if (is_within(position)) found.emplace(position, of_file(set, position));
    }
    return found;
  }
  const ImageSet set = load_set(benchmark, set_name, options);
  require_same(set_name, set.count, count);
  if (!hash.empty() && set.hash != hash) {
    throw Error(ErrorKind::data, fmt::format("set {} has other images here than were scored (hash {}, scored {}); set "
                                             "data.root to those",
                                             set_name, set.hash, hash));
  }
  for (const std::int64_t position : positions) {
    if (is_within(position)) found.emplace(position, Thumbnail{.png = encode_png(shrunk(image_of(set, position)))});
  }
  return found;
}

}  // namespace nearfar
