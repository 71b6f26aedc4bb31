#include "data/gzip_file.h"

#include "base/error.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nearfar {

GzipFile::GzipFile(const std::filesystem::path& file, std::string fix) : file_(file), fix_(std::move(fix)) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) fail("there is no such file");
  errno = 0;
  const gzFile handle = gzopen(file.c_str(), "rb");
  if (!handle) fail(fmt::format("cannot be opened: {}", errno ? std::strerror(errno) : "out of memory"));
  gzbuffer(handle, 1U << 18);
  handle_ = handle;
}

GzipFile::~GzipFile() {
  if (handle_) gzclose(static_cast<gzFile>(handle_));
}

std::vector<std::uint8_t> GzipFile::read(std::uint64_t size) {
  constexpr std::uint64_t kBlock = 1U << 22;
  const gzFile handle = static_cast<gzFile>(handle_);
  std::vector<std::uint8_t> bytes;
  while (bytes.size() < size) {
    const std::size_t before = bytes.size();
    const auto wanted = static_cast<unsigned>(std::min(kBlock, size - before));
    bytes.resize(before + wanted);
    const int got = gzread(handle, bytes.data() + before, wanted);
    if (got < 0) {
      int code = 0;
      const char* reason = gzerror(handle, &code);
      fail(fmt::format("the compressed data are damaged after {} bytes ({})", before, reason));
    }
    bytes.resize(before + static_cast<std::size_t>(got));
    if (static_cast<unsigned>(got) < wanted) break;
  }
  return bytes;
}

bool GzipFile::truncated() const {
  int code = 0;
  gzerror(static_cast<gzFile>(handle_), &code);
  return code == Z_BUF_ERROR;
}

void GzipFile::fail(const std::string& message) const {
  throw Error(ErrorKind::data, fmt::format("{}: {}{}{}", file_.string(), message, fix_.empty() ? "" : "; ", fix_));
}

}  // namespace nearfar
