#pragma once
/// Writes one packed file chunk by chunk so that nothing half-valid ever has its name: pixels go to FILE.part, what is
/// finished to FILE.journal, each synced before the next chunk; finish() writes the tables and renames. The journal's
/// lock keeps a second process out. One thread, one owner. Torch-free.
#include "base/descriptor.h"
#include "data/pack_format.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

class PackWriter {
 public:
  /// Takes the lock (Error(data) if another process has it) and takes up what an earlier writer with the same header
  /// and the same file sizes has finished. `sizes` of the original files, must outlive the writer.
  PackWriter(std::filesystem::path file, const PackHeader& header, std::span<const std::int64_t> sizes);
  PackWriter(const PackWriter&) = delete;
  PackWriter& operator=(const PackWriter&) = delete;

  std::int64_t done() const { return done_; }  ///< images that are safely on the disk
  /// The next chunk: header.chunk_images images, the last one fewer. Error(data) if the disk is full or fails.
  void add(std::span<const std::uint8_t> pixels);
  /// After the last chunk.
  void finish();
  /// Removes the working files: the packed file is there already.
  void abandon();

 private:
  void lock();
  void resume();
  bool accept_record(std::span<const std::byte> record);
  bool last_chunk_fits() const;
  void start_over();
  std::span<const std::int64_t> chunk_sizes(std::int64_t chunk) const;

  std::filesystem::path file_, part_file_, journal_file_;
  PackHeader header_;
  PackLayout layout_;
  std::span<const std::int64_t> sizes_;
  std::vector<std::uint64_t> sums_;  // of the finished chunks
  std::int64_t done_ = 0;
  Descriptor part_, journal_;
};

}  // namespace nearfar
