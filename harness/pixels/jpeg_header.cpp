#include "pixels/jpeg_header.h"

#include "base/error.h"

#include <fmt/format.h>

#include <string>

namespace nearfar {
namespace {

using Bytes = std::span<const std::uint8_t>;

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorKind::data, "JPEG: " + why); }

int big_endian16(Bytes bytes, std::size_t at) { return bytes[at] << 8 | bytes[at + 1]; }

/// The content of the segment whose length field is at `at`, which then moves behind it. Pillow takes a length below 2
/// for an empty one.
Bytes segment(Bytes file, std::size_t& at, int marker) {
  if (at + 2 > file.size()) refuse(fmt::format("ends in the length of marker FF{:02X}", marker));
  const int length = big_endian16(file, at) - 2;
  at += 2;
  if (length <= 0) return {};
  const auto size = static_cast<std::size_t>(length);
  if (size > file.size() - at) refuse(fmt::format("ends within the {} bytes of marker FF{:02X}", size, marker));
  at += size;
  return file.subspan(at - size, size);
}

JpegHeader frame_header(Bytes content) {
  if (content.size() < 6) refuse("frame header too short");
  JpegHeader header{.width = big_endian16(content, 3), .height = big_endian16(content, 1), .components = content[5]};
  if (content[0] != 8) refuse(fmt::format("{} bits a channel; only 8 are read", content[0]));
  if (header.components != 1 && header.components != 3 && header.components != 4) {
    refuse(fmt::format("{} components; 1, 3 or 4 are read", header.components));
  }
  if ((content.size() - 6) % 3 == 1 || (content.size() - 6) % 3 == 2)
    refuse("frame header with an incomplete component");
  return header;
}

void check_quantization_tables(Bytes content) {
  while (!content.empty()) {
    const std::size_t size = content[0] / 16 == 0 ? 65 : 129;
    if (content.size() < size) refuse("quantization table too short");
    content = content.subspan(size);
  }
}

bool is_frame(int marker) {
  return (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) || marker == 0xDE;
}
bool is_bare(int marker) {
  return marker == 0xC8 || (marker >= 0xD0 && marker <= 0xD9) || (marker >= 0xF0 && marker <= 0xFD);
}

}  // namespace

JpegHeader read_jpeg_header(Bytes file) {
  JpegHeader header;
  std::size_t at = 2;  // behind FF D8
  while (at + 1 < file.size()) {
    if (file[at] != 0xFF) {  // junk between segments
      ++at;
      continue;
    }
    const int marker = file[at + 1];
    if (marker == 0xFF) {
      ++at;
      continue;
    }
    at += 2;
    if (marker == 0 || is_bare(marker)) continue;
    if (marker < 0xC0) refuse(fmt::format("FF{:02X} is no marker", marker));
    const Bytes content = segment(file, at, marker);
    if (is_frame(marker)) header = frame_header(content);
    if (marker == 0xDB) check_quantization_tables(content);
    if (marker == 0xDA) {
      if (header.components == 0) refuse("a scan before any frame header");
      header.scan = at;
      return header;
    }
  }
  refuse(header.components == 0 ? "ends before the frame header" : "ends before the first scan");
}

}  // namespace nearfar
