#pragma once
/// A strict reader of zip archives as PyTorch writes them: stored entries only, nothing is extracted, names are opaque
/// keys. Zip64 is read; encryption, compression, several disks and anything before the first entry or after the archive
/// are refused. Format: PKWARE's APPNOTE.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nearfar {

struct ZipEntry {
  std::string_view name;            ///< points into the archive
  std::span<const std::byte> data;  ///< the same
};

/// The bytes are borrowed and outlive the object. Read-only, safe from any thread.
class ZipFile {
 public:
  /// Reads the directory and checks it against every local header, then every CRC-32. Error(data) naming `name`, the
  /// entry and the reason: truncated or inconsistent headers, entries that repeat, overlap or leave the file,
  /// compressed or encrypted ones, a wrong CRC.
  ZipFile(std::span<const std::byte> bytes, std::string name);

  const std::vector<ZipEntry>& entries() const { return entries_; }  ///< in the directory's order
  const ZipEntry* find(std::string_view name) const;                 ///< nullptr: no such entry

  /// Whether the bytes begin as a zip archive does.
  static bool looks_like(std::span<const std::byte> bytes);

 private:
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
};

}  // namespace nearfar
