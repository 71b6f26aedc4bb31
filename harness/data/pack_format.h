#pragma once
/// The layout of a packed file (docs/data.md), for pack.cpp and packed_set.cpp. Little-endian. Torch-free.
#include "base/hash.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nearfar {

static_assert(std::endian::native == std::endian::little, "packed files are little-endian and mapped as they are");

struct PackHeader {
  char magic[8] = {'N', 'F', 'P', 'A', 'C', 'K', '2', '\n'};
  std::int64_t count = 0, height = 0, width = 0, channels = 0;
  std::int64_t chunk_images = 0;
  std::int64_t file_bytes = 0;
  std::uint64_t checksum = 0;  ///< of the header with 0 here, the table of files and the chunks' checksums
  char list_hash[32] = {};
  char preprocess[160] = {};  ///< preprocess_id, padded with 0
};
static_assert(sizeof(PackHeader) == 256);

/// What an original file was when it was packed.
struct PackedFile {
  std::int64_t size = 0;      ///< bytes
  std::int64_t modified = 0;  ///< ns since 1970
  Hash128 content;            ///< XXH3 of its bytes
  bool operator==(const PackedFile&) const = default;
};
static_assert(sizeof(PackedFile) == 32);

/// After the header: PackedFile files[count], uint64 checksums[chunks], padding to a page, pixels.
struct PackLayout {
  std::int64_t image_bytes = 0, chunks = 0, sums_at = 0, pixels_at = 0, file_bytes = 0;
};

/// nullopt for numbers that no file of ours has; so no product below overflows.
inline std::optional<PackLayout> pack_layout(const PackHeader& header) {
  const auto within = [](std::int64_t value, std::int64_t most) { return value >= 1 && value <= most; };
  if (!within(header.count, 1'000'000'000) || !within(header.height, 8192) || !within(header.width, 8192) ||
      !within(header.channels, 16) || !within(header.chunk_images, header.count)) {
    return std::nullopt;
  }
  constexpr std::int64_t kPage = 4096;
  PackLayout layout;
  layout.image_bytes = header.height * header.width * header.channels;
  layout.chunks = (header.count + header.chunk_images - 1) / header.chunk_images;
  layout.sums_at =
      static_cast<std::int64_t>(sizeof(PackHeader) + sizeof(PackedFile) * static_cast<std::size_t>(header.count));
  layout.pixels_at = (layout.sums_at + 8 * layout.chunks + kPage - 1) / kPage * kPage;
  layout.file_bytes = layout.pixels_at + header.count * layout.image_bytes;
  return layout;
}

inline std::uint64_t pack_checksum(PackHeader header, std::span<const PackedFile> files,
                                   std::span<const std::uint64_t> sums) {
  header.checksum = 0;
  return xxh3(std::as_bytes(sums), xxh3(std::as_bytes(files), xxh3(std::as_bytes(std::span(&header, 1)))));
}

}  // namespace nearfar
