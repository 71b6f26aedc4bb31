#pragma once
/// Writes one packed file chunk by chunk so that nothing half-valid ever has its name: pixels go to FILE.part, what is
/// finished to FILE.journal, each synced before the next chunk; finish() writes the tables and renames. The journal's
/// lock keeps a second process out. One thread, one owner. Torch-free.
#include "base/descriptor.h"
#include "data/open_beneath.h"
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
  /// and the same files, by size and time of change, has finished.
  PackWriter(std::filesystem::path file, const PackHeader& header, std::span<const FileStat> files);
  PackWriter(const PackWriter&) = delete;
  PackWriter& operator=(const PackWriter&) = delete;

  std::int64_t done() const { return done_; }  ///< images that are safely on the disk
  /// The next chunk: header.chunk_images images, the last one fewer, and the hashes of their files. Error(data) if the
  /// disk is full or fails.
  void add(std::span<const std::uint8_t> pixels, std::span<const Hash128> contents);
  /// After the last chunk.
  void finish();
  /// Removes the working files: the packed file is there already.
  void abandon();

 private:
  void resume();
  bool accept_record(std::span<const std::byte> record);
  bool last_chunk_fits();
  void start_over();
  std::span<PackedFile> chunk_files(std::int64_t chunk);

  std::filesystem::path file_, part_file_, journal_file_;
  PackHeader header_;
  PackLayout layout_;
  std::vector<PackedFile> files_;    // contents of the finished chunks
  std::vector<std::uint64_t> sums_;  // of the finished chunks
  std::int64_t done_ = 0;
  Descriptor part_, journal_;
};

}  // namespace nearfar
