#pragma once
/// Folders as one file, tar in zstd, and back. Packing: the same contents give the same bytes. Unpacking: nothing in an
/// archive is trusted. By libarchive. Safe from any thread. Failures are Error(data) naming the archive, the entry
/// where there is one, and what was expected.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct ArchiveFile {
  std::string name = {};            ///< in the archive, as is_archive_name() wants it
  std::filesystem::path from = {};  ///< a regular file
};

/// Relative, of letters, digits and . _ - / alone, no part empty, "." or "..", at most 400 bytes: the same file on
/// every system, whatever its locale.
bool is_archive_name(std::string_view name);

/// Atomic: `target` is there as a whole or not at all; one that was there is replaced. Entries are sorted by name, with
/// time 0, user and group 0 and mode 0644.
void pack_archive(const std::filesystem::path& target, std::vector<ArchiveFile> files);

/// What an archive may ask for. A bundle of 10,000 evaluations has 80,000 files.
struct UnpackLimits {
  std::int64_t entries = 500'000;
  std::uint64_t bytes = 64ULL << 30;  ///< of all files
  /// Bytes that come out for one that goes in, beyond the first 64 MiB: score files shrink to 0.8, databases to 0.1;
  /// what is made to fill a disk, to 0.0001.
  std::uint64_t ratio = 200;
};

/// Regular files into `folder`, which must be there and empty, and should be nobody else's. Names, sorted. Refused:
/// names that are not as above or come twice, links, devices, sparse files, more than the limits, damage. What was
/// unpacked before stays there.
std::vector<std::string> unpack_archive(const std::filesystem::path& archive, const std::filesystem::path& folder,
                                        const UnpackLimits& limits = {});

}  // namespace nearfar
