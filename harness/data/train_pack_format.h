#pragma once
/// The layout of a training copy (docs/data.md). Little-endian. Torch-free.
#include "data/pack_format.h"

#include <cstdint>
#include <span>

namespace nearfar {

struct TrainPackHeader {
  char magic[8] = {'N', 'F', 'T', 'R', 'A', 'I', '1', '\n'};
  std::int64_t count = 0, side = 0;
  std::int64_t entries_at = 0;  ///< 0 until all is written
  std::uint64_t checksum = 0;   ///< of the header with 0 here, and of the entries
  char list_hash[32] = {};
  char unused[184] = {};
};
static_assert(sizeof(TrainPackHeader) == 256);

struct TrainPackEntry {
  PackedFile file;
  std::int64_t offset = 0;  ///< of its pixels, [height, width, 3]
  std::int32_t width = 0, height = 0;
  std::uint64_t checksum = 0;  ///< XXH3-64 of the pixels
  std::int64_t damaged = 0;    ///< 1: the file was cut off or had errors

  std::int64_t bytes() const { return std::int64_t{3} * width * height; }
};
static_assert(sizeof(TrainPackEntry) == 64);

/// Pixels begin on a page, and so do the entries behind them.
constexpr std::int64_t kTrainPackPage = 4096;

inline std::uint64_t train_pack_checksum(TrainPackHeader header, std::span<const TrainPackEntry> entries) {
  header.checksum = 0;
  return xxh3(std::as_bytes(entries), xxh3(std::as_bytes(std::span(&header, 1))));
}

}  // namespace nearfar
