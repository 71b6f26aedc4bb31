#include "data/gzip_file.h"
#include "data/readers.h"

#include <fmt/format.h>

namespace nearfar {
namespace {

constexpr std::uint32_t kImageMagic = 0x803, kLabelMagic = 0x801;
constexpr std::uint32_t kMostImages = 100'000'000, kLargestSide = 8192;
constexpr std::uint64_t kMostBytes = std::uint64_t{8} << 30;

struct IdxContent {
  std::vector<std::uint32_t> shape;
  std::vector<std::uint8_t> data;
};

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) | (std::uint32_t{bytes[2]} << 8) | bytes[3];
}

std::uint64_t checked_size(const GzipFile& file, const std::vector<std::uint32_t>& shape) {
  if (shape[0] > kMostImages)
    file.fail(fmt::format("its header promises {} items; the most that is read is {}", shape[0], kMostImages));
  std::uint64_t size = shape[0];
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    if (shape[axis] == 0 || shape[axis] > kLargestSide) {
      file.fail(fmt::format("its header says images of {} x {} pixels; sides are from 1 to {}", shape[1], shape[2],
                            kLargestSide));
    }
    size *= shape[axis];  // at most 1e8 · 2^26: no overflow
  }
  if (size > kMostBytes)
    file.fail(fmt::format("its header promises {} bytes; the most that is read is {}", size, kMostBytes));
  return size;
}

IdxContent read_content(const std::filesystem::path& path, std::uint32_t magic, std::size_t axes,
                        const std::string& fix) {
  GzipFile file(path, fix);
  const std::size_t header_size = 4 + 4 * axes;
  const std::vector<std::uint8_t> header = file.read(header_size);
  if (header.size() < header_size)
    file.fail(fmt::format("truncated: {} bytes found, an IDX header has {}", header.size(), header_size));
  if (big_endian(header.data()) != magic) {
    file.fail(fmt::format("begins with 0x{:08x}, an IDX file of {} begins with 0x{:08x}", big_endian(header.data()),
                          magic == kImageMagic ? "images" : "labels", magic));
  }
  IdxContent content;
  for (std::size_t axis = 0; axis < axes; ++axis) content.shape.push_back(big_endian(header.data() + 4 + 4 * axis));
  const std::uint64_t expected = checked_size(file, content.shape);
  content.data = file.read(expected);
  if (content.data.size() < expected) {
    file.fail(fmt::format("truncated: {} bytes found, {} expected by its header ({} items)",
                          content.data.size() + header_size, expected + header_size, content.shape[0]));
  }
  if (!file.read(1).empty())
    file.fail(fmt::format("has more than the {} bytes that its header promises", expected + header_size));
  if (file.truncated()) file.fail("truncated: its gzip checksum is missing");
  return content;
}

}  // namespace

SourceImages read_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                      const std::string& fix) {
  IdxContent pixels = read_content(images, kImageMagic, 3, fix);
  const IdxContent classes = read_content(labels, kLabelMagic, 1, fix);
  if (pixels.shape[0] != classes.shape[0]) {
    GzipFile(labels, fix)
        .fail(fmt::format("has {} labels, but {} has {} images", classes.shape[0], images.string(), pixels.shape[0]));
  }
  SourceImages result;
  result.count = pixels.shape[0];
  result.height = pixels.shape[1];
  result.width = pixels.shape[2];
  result.pixels = std::move(pixels.data);
  result.labels.assign(classes.data.begin(), classes.data.end());
  return result;
}

}  // namespace nearfar
