#include "base/error.h"
#include "data/open_beneath.h"
#include "data/readers.h"

#include <fmt/format.h>

namespace nearfar {
namespace {

constexpr std::size_t kSide = 32, kPlane = kSide * kSide, kChannels = 3;
constexpr std::uint64_t kLargestBatch = std::uint64_t{4} << 30;

/// Planes of red, green and blue become interleaved pixels.
void append_interleaved(const char* planes, std::vector<std::uint8_t>& pixels) {
  for (std::size_t position = 0; position < kPlane; ++position) {
    for (std::size_t channel = 0; channel < kChannels; ++channel) {
      pixels.push_back(static_cast<std::uint8_t>(planes[channel * kPlane + position]));
    }
  }
}

}  // namespace

SourceImages read_cifar(const std::vector<std::filesystem::path>& batches, std::int64_t label_bytes,
                        const std::string& fix) {
  NEARFAR_ASSERT(label_bytes == 1 || label_bytes == 2);
  const std::size_t labels = static_cast<std::size_t>(label_bytes), record = labels + kChannels * kPlane;
  SourceImages images{.count = 0, .channels = kChannels, .height = kSide, .width = kSide, .pixels = {}, .labels = {}};
  for (const std::filesystem::path& file : batches) {
    const std::string after = fix.empty() ? "" : "; " + fix;
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) {
      throw Error(ErrorKind::data, fmt::format("{}: there is no such file{}", file.string(), after));
    }
    const std::string bytes = read_regular_file(file, kLargestBatch);
    if (bytes.empty() || bytes.size() % record != 0) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: has {} bytes; a CIFAR batch with {} label byte{} has a multiple of {}{}",
                              file.string(), bytes.size(), labels, labels == 1 ? "" : "s", record, after));
    }
    images.pixels.reserve(images.pixels.size() + bytes.size() / record * kChannels * kPlane);
    for (std::size_t at = 0; at < bytes.size(); at += record) {
      images.labels.push_back(
          static_cast<std::uint8_t>(bytes[at + labels - 1]));  // the last: CIFAR-100 has coarse, then fine
      append_interleaved(bytes.data() + at + labels, images.pixels);
    }
  }
  images.count = static_cast<std::int64_t>(images.labels.size());
  return images;
}

}  // namespace nearfar
