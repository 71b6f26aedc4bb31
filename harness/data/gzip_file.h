#pragma once
/// Sequential reading of a file that may or may not be gzip'ed (told by content, as zlib does). Not thread-safe; one
/// owner.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

class GzipFile {
 public:
  /// Error(data) with `fix` at its end if the file is not there.
  GzipFile(const std::filesystem::path& file, std::string fix);
  ~GzipFile();
  GzipFile(const GzipFile&) = delete;
  GzipFile& operator=(const GzipFile&) = delete;

  /// Up to `size` further bytes, fewer only at the end of the file. Memory grows with what is really there, not with
  /// `size`.
  std::vector<std::uint8_t> read(std::uint64_t size);

  /// After a short read: the compressed stream stops in the middle.
  bool truncated() const;

  /// Error(data) "FILE: MESSAGE; FIX".
  [[noreturn]] void fail(const std::string& message) const;

 private:
  std::filesystem::path file_;
  std::string fix_;
  void* handle_ = nullptr;  // gzFile; zlib stays in the .cpp
};

}  // namespace nearfar
