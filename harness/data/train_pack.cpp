#include "data/train_pack.h"

#include "base/error.h"
#include "base/files.h"
#include "data/train_pack_format.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void damaged_copy(const fs::path& file, const std::string& what) {
  throw Error(ErrorKind::data,
              fmt::format("{}: is a damaged training copy: {}; remove it and pack again (nearfar data pack)",
                          file.string(), what));
}

}  // namespace

fs::path train_pack_file(const Benchmark& benchmark, const LoadOptions& options, const ListedSet& set,
                         std::int64_t side) {
  return packed_folder(benchmark, options) / fmt::format("{}-short{}.nftrain", set.list_hash, side);
}

struct TrainPack::State {
  State(const fs::path& path, MappedFile&& mapped) : file(path), map(std::move(mapped)) {}

  /// Everything but the pixels.
  void check(const ListedSet& set, std::int64_t side) {
    const std::span<const std::byte> bytes = map.bytes();
    const auto size = static_cast<std::int64_t>(bytes.size());
    if (bytes.size() < sizeof header) damaged_copy(file, fmt::format("it has {} bytes, less than a header", size));
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, TrainPackHeader{}.magic, sizeof header.magic) != 0)
      damaged_copy(file, "it does not begin as training copies of this version do");
    constexpr std::int64_t kEntry = sizeof(TrainPackEntry);
    if (header.count != set.info.count || header.side != side ||
        std::string_view(header.list_hash, sizeof header.list_hash) != set.list_hash)
      damaged_copy(file, fmt::format("it has {} images of side {}, not {} of {}, or another list", header.count,
                                     header.side, set.info.count, side));
    if (header.entries_at % kTrainPackPage != 0 || header.entries_at < kTrainPackPage || header.entries_at > size ||
        (size - header.entries_at) / kEntry < header.count)
      damaged_copy(file, fmt::format("it has {} bytes, too few for its entries at {}", size, header.entries_at));
    entries = {reinterpret_cast<const TrainPackEntry*>(bytes.data() + header.entries_at),
               static_cast<std::size_t>(header.count)};
    if (train_pack_checksum(header, entries) != header.checksum)
      damaged_copy(file, "the checksum of its header and entries does not fit");
    for (const TrainPackEntry& entry : entries) {
      if (entry.width < 1 || entry.width > kMaxSide || entry.height < 1 || entry.height > kMaxSide ||
          entry.offset < kTrainPackPage || entry.offset > header.entries_at ||
          entry.bytes() > header.entries_at - entry.offset)
        damaged_copy(file, "an entry lies outside");
    }
    compared = std::vector<std::atomic<bool>>(entries.size());
  }

  void compare_files(const ListedSet& set) const {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const bool same =
          set.contents.empty() ? set.files[i].size == entries[i].file.size : set.contents[i] == entries[i].file.content;
      if (same || set.files[i].size < 0) continue;
      const auto image = static_cast<std::int64_t>(i);
      throw Error(ErrorKind::data,
                  fmt::format("{}: {} is not the file that was packed, so the training copy {} of set '{}' has other "
                              "images: remove it and pack again (nearfar data pack)",
                              set.where(image), set.file(image), file.string(), set.info.name));
    }
  }

  fs::path file;
  MappedFile map;
  TrainPackHeader header;
  std::span<const TrainPackEntry> entries;
  mutable std::vector<std::atomic<bool>> compared;
};

TrainPack::TrainPack(const fs::path& file, const ListedSet& set, std::int64_t side) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    throw Error(ErrorKind::data, fmt::format("{}: there is no training copy of set '{}'; make it with: nearfar data "
                                             "pack BENCHMARK {} --train-side {}",
                                             file.string(), set.info.name, set.info.name, side));
  }
  state_ = std::make_unique<State>(file, MappedFile(file));
  state_->check(set, side);
  state_->compare_files(set);
}
TrainPack::TrainPack(TrainPack&&) noexcept = default;
TrainPack& TrainPack::operator=(TrainPack&&) noexcept = default;
TrainPack::~TrainPack() = default;

ImageSize TrainPack::size(std::int64_t index) const {
  const TrainPackEntry& entry = state_->entries[static_cast<std::size_t>(index)];
  return {entry.width, entry.height};
}

bool TrainPack::damaged(std::int64_t index) const {
  return state_->entries[static_cast<std::size_t>(index)].damaged != 0;
}

PixelView TrainPack::image(std::int64_t index) const {
  const State& s = *state_;
  NEARFAR_ASSERT(index >= 0 && index < s.header.count);
  const TrainPackEntry& entry = s.entries[static_cast<std::size_t>(index)];
  const std::span<const std::byte> pixels =
      s.map.bytes().subspan(static_cast<std::size_t>(entry.offset), static_cast<std::size_t>(entry.bytes()));
  std::atomic<bool>& compared = s.compared[static_cast<std::size_t>(index)];
  if (!compared.load(std::memory_order_relaxed)) {  // two threads may both compare: the same answer twice
    if (xxh3(pixels) != entry.checksum)
      damaged_copy(s.file, fmt::format("the checksum of image {} does not fit", index + 1));
    compared.store(true, std::memory_order_relaxed);
  }
  return {{reinterpret_cast<const std::uint8_t*>(pixels.data()), pixels.size()}, size(index)};
}

}  // namespace nearfar
