#include "base/error.h"
#include "base/files.h"
#include "data/pack.h"
#include "data/pack_format.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <vector>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void damaged(const fs::path& file, const std::string& what) {
  throw Error(ErrorKind::data,
              fmt::format("{}: is a damaged packed copy: {}; remove it and pack again (nearfar data pack)",
                          file.string(), what));
}

}  // namespace

struct PackedSet::State {
  State(const fs::path& path, MappedFile&& mapped) : file(path), map(std::move(mapped)) {}

  const std::byte* at(std::int64_t offset) const { return map.bytes().data() + offset; }

  /// Everything but the pixels.
  void check() {
    const std::span<const std::byte> bytes = map.bytes();
    if (bytes.size() < sizeof header) damaged(file, fmt::format("it has {} bytes, less than a header", bytes.size()));
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, PackHeader{}.magic, sizeof header.magic) != 0)
      damaged(file, "it does not begin as packed files of this version do");
    const std::optional<PackLayout> found = pack_layout(header);
    if (!found) {
      damaged(file, fmt::format("its header speaks of {} images of {} x {} x {} in chunks of {}", header.count,
                                header.height, header.width, header.channels, header.chunk_images));
    }
    layout = *found;
    if (header.file_bytes != layout.file_bytes || static_cast<std::int64_t>(bytes.size()) != layout.file_bytes)
      damaged(file, fmt::format("it has {} bytes, {} expected", bytes.size(), layout.file_bytes));
    files = {reinterpret_cast<const PackedFile*>(at(sizeof header)), static_cast<std::size_t>(header.count)};
    sums = {reinterpret_cast<const std::uint64_t*>(at(layout.sums_at)), static_cast<std::size_t>(layout.chunks)};
    if (pack_checksum(header, files, sums) != header.checksum)
      damaged(file, "the checksum of its header and tables does not fit");
    compared = std::vector<std::atomic<bool>>(sums.size());
  }

  void compare(std::int64_t chunk) const {
    std::atomic<bool>& done = compared[static_cast<std::size_t>(chunk)];
    if (done.load(std::memory_order_relaxed)) return;  // two threads may both compare: the same answer twice
    const std::int64_t first = chunk * header.chunk_images, last = std::min(first + header.chunk_images, header.count);
    const std::span pixels(at(layout.pixels_at + first * layout.image_bytes),
                           static_cast<std::size_t>((last - first) * layout.image_bytes));
    if (xxh3(pixels) != sums[static_cast<std::size_t>(chunk)])
      damaged(file, fmt::format("the checksum of images {} to {} does not fit", first + 1, last));
    done.store(true, std::memory_order_relaxed);
  }

  fs::path file;
  MappedFile map;
  PackHeader header;
  PackLayout layout;
  std::span<const PackedFile> files;    // [count]
  std::span<const std::uint64_t> sums;  // [chunks]
  mutable std::vector<std::atomic<bool>> compared;
};

fs::path packed_folder(const Benchmark& benchmark, const LoadOptions& options) {
  if (!options.packed.empty()) return options.packed;
  if (const char* packed = std::getenv("NEARFAR_PACKED"); packed && *packed) return packed;
  if (!options.data_root.empty()) return options.data_root / "packed";
  std::error_code ignored;
  if (const char* data = std::getenv("NEARFAR_DATA"); data && *data && fs::is_directory(data, ignored))
    return fs::path(data) / "packed";
  if (benchmark.roots.empty()) return benchmark.base / "packed";
  return benchmark.base / benchmark.roots.front().folder / "packed";  // an absolute folder replaces what is before it
}

std::string packed_name(const std::string& list_hash) { return list_hash + ".nfpack"; }

std::optional<PackedSet> PackedSet::find(const fs::path& folder, const std::string& list_hash,
                                         const std::string& preprocess_id) {
  const fs::path file = folder / packed_name(list_hash);
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  auto state = std::make_unique<State>(file, MappedFile(file));
  state->check();
  const PackHeader& header = state->header;
  const std::string_view list(header.list_hash, sizeof header.list_hash);
  const std::string_view preprocess(header.preprocess, ::strnlen(header.preprocess, sizeof header.preprocess));
  if (list != list_hash || preprocess != preprocess_id) return std::nullopt;
  return PackedSet(std::move(state));
}

PackedSet::PackedSet(std::unique_ptr<State> state) : state_(std::move(state)) {}
PackedSet::PackedSet(PackedSet&&) noexcept = default;
PackedSet& PackedSet::operator=(PackedSet&&) noexcept = default;
PackedSet::~PackedSet() = default;

std::int64_t PackedSet::count() const { return state_->header.count; }
std::span<const PackedFile> PackedSet::files() const { return state_->files; }

std::span<const std::uint8_t> PackedSet::rows(std::int64_t first, std::int64_t last) const {
  const State& s = *state_;
  NEARFAR_ASSERT(first >= 0 && first <= last && last <= s.header.count);
  if (first == last) return {};
  for (std::int64_t chunk = first / s.header.chunk_images; chunk <= (last - 1) / s.header.chunk_images; ++chunk)
    s.compare(chunk);
  const std::byte* pixels = s.at(s.layout.pixels_at + first * s.layout.image_bytes);
  return {reinterpret_cast<const std::uint8_t*>(pixels),
          static_cast<std::size_t>((last - first) * s.layout.image_bytes)};
}

void PackedSet::release(std::int64_t first, std::int64_t last) const {
  constexpr std::int64_t kPage = 4096;
  const State& s = *state_;
  NEARFAR_ASSERT(first >= 0 && first <= last && last <= s.header.count);
  // Whole pages only; one that is shared with a neighbour stays.
  const std::int64_t begin = (s.layout.pixels_at + first * s.layout.image_bytes + kPage - 1) / kPage * kPage;
  const std::int64_t end = (s.layout.pixels_at + last * s.layout.image_bytes) / kPage * kPage;
  if (begin >= end) return;
  // The map is read-only and private, so nothing is lost: the pages come back from the file.
  ::madvise(const_cast<std::byte*>(s.at(begin)), static_cast<std::size_t>(end - begin), MADV_DONTNEED);
}

}  // namespace nearfar
