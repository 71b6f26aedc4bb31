#pragma once
/// Packed copies: the preprocessed pixels of one image set in one file, uint8 [N,H,W,C], memory-mapped, with checksums.
/// One file per (list, preprocessing); resumable: a broken-off packing goes on after its last finished chunk.
/// Torch-free. docs/data.md has the layout of the file.
#include "data/image_set.h"
#include "data/pack_format.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace nearfar {

/// Where packed copies of a benchmark lie: `options.packed`, else $NEARFAR_PACKED, else "packed" beneath the data root
/// (data.root, else $NEARFAR_DATA if it is a folder, else the folder of the benchmark's first root). Nothing is looked
/// for or made there.
std::filesystem::path packed_folder(const Benchmark& benchmark, const LoadOptions& options);

/// Name of the file within the folder.
std::string packed_name(const std::string& list_hash);

/// An open packed copy. Safe from any thread.
class PackedSet {
 public:
  /// nullopt unless a complete copy of exactly this list and preprocessing is there. Error(data) for a damaged one
  /// (with the file and "remove it and pack again"). The pixels themselves are compared with their checksums when
  /// `rows` touches them.
  static std::optional<PackedSet> find(const std::filesystem::path& folder, const std::string& list_hash,
                                       const std::string& preprocess_id);
  PackedSet(PackedSet&&) noexcept;
  PackedSet& operator=(PackedSet&&) noexcept;
  ~PackedSet();

  std::int64_t count() const;
  std::span<const PackedFile> files()
      const;  ///< the originals when they were packed; their contents are what is packed
  /// Pixels of images first … last-1. Error(data) if the checksum of a chunk does not fit; each chunk is compared once.
  std::span<const std::uint8_t> rows(std::int64_t first, std::int64_t last) const;
  /// The pixels of images first … last-1 are not needed for now: their pages leave the process, not the system's cache.
  void release(std::int64_t first, std::int64_t last) const;

 private:
  struct State;
  explicit PackedSet(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct PackReport {
  std::filesystem::path file;
  std::int64_t images = 0, bytes = 0;  ///< bytes of the file
  std::int64_t resumed = 0;            ///< images that an earlier, broken-off packing had finished
  bool already_there = false;
};

struct PackOptions {
  std::int64_t chunk_images = 0;  ///< images a chunk, the unit of checksums and of resuming; 0 = 16 MiB
  std::function<void(std::int64_t done, std::int64_t total)> progress;  ///< after each chunk
  std::function<bool()> should_stop;  ///< asked after each chunk; then Error(interrupted)
};

/// Packs one set that comes from a list or from class folders. Error(config) for other sources: they are read whole
/// anyway. Error(data): an unreadable image (a packed copy is always complete, so data.on_unreadable is not looked at),
/// another process packs this set now, no space left, a damaged copy that is there. Whatever is thrown, no file of the
/// final name comes into being, and the next call goes on after the last finished chunk.
PackReport pack_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options,
                    const PackOptions& packing = {});

}  // namespace nearfar
