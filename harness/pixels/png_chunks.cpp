#include "pixels/png_chunks.h"

#include "base/error.h"
#include "pixels/row_reader.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>
#include <string_view>

namespace nearfar {
namespace {

using Bytes = std::span<const std::uint8_t>;

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorKind::data, "PNG: " + why); }

std::uint32_t big_endian32(Bytes bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 | std::uint32_t{bytes[at + 2]} << 8 |
         bytes[at + 3];
}

struct Chunk {
  std::string_view name;     // 4 bytes of the file
  std::uint64_t length = 0;  // as declared: may lie past the end of the file
  std::size_t begin = 0;     // of the content
};

std::string readable(std::string_view name) {
  std::string text;
  for (char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    text += std::isalnum(byte) != 0 ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text;
}

/// The chunk at `at`; false at the end of the file.
bool chunk_at(Bytes file, std::size_t at, Chunk& chunk) {
  if (at > file.size() || file.size() - at < 8) return false;
  chunk = {{reinterpret_cast<const char*>(file.data()) + at + 4, 4}, big_endian32(file, at), at + 8};
  return true;
}

bool valid_depth(int depth, int color) {
  switch (color) {
    case 0:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case 3:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case 2:
    case 4:
    case 6:
      return depth == 8 || depth == 16;
    default:
      return false;
  }
}

void read_header(Bytes content, PngHeader& header) {
  if (content.size() < 13) return;  // as Pillow: found out when the image data comes
  if (content[11] != 0) refuse(fmt::format("filter method {}; only 0 is known", content[11]));
  header.width = big_endian32(content, 0);
  header.height = big_endian32(content, 4);
  if (valid_depth(content[8], content[9])) {
    header.depth = content[8];
    header.color = content[9];
  }
  header.interlaced = header.interlaced || content[12] != 0;
}

void read_palette(Bytes content, PngHeader& header) {
  if (content.size() > header.palette.size())
    refuse(fmt::format("a palette of {} bytes; at most 768 are possible", content.size()));
  std::copy(content.begin(), content.end(), header.palette.begin());
}

/// Pillow refuses a text or profile compressed otherwise than by zlib, though it is of no use for the pixels.
void check_compression(std::string_view name, Bytes content) {
  const auto zero = std::find(content.begin(), content.end(), 0);
  const bool profile = name == "iCCP";
  if (zero == content.end() || zero + 1 == content.end()) {
    if (profile) refuse("iCCP chunk too short");
    return;
  }
  if (zero[1] != 0) refuse(fmt::format("unknown compression method {} in chunk {}", zero[1], name));
}

void check_first_frame(Bytes content, const PngHeader& header) {
  if (content.size() < 26) return;
  const bool whole = big_endian32(content, 4) == header.width && big_endian32(content, 8) == header.height &&
                     big_endian32(content, 12) == 0 && big_endian32(content, 16) == 0;
  if (!whole) refuse("animated, and the first frame does not cover the image");
}

/// Reads chunks up to the first IDAT, which is returned.
Chunk read_head(Bytes file, PngHeader& header) {
  std::size_t at = 8;
  for (Chunk chunk; chunk_at(file, at, chunk);) {
    if (chunk.name == "IDAT") return chunk;
    if (chunk.name == "IEND") refuse("ends without image data");
    if (chunk.name == "fdAT") refuse("animated, and without a still image");
    if (std::any_of(chunk.name.begin(), chunk.name.end(), [](char c) { return (c & 0x80) != 0; })) {
      refuse(fmt::format("broken chunk {}", readable(chunk.name)));
    }
    if (chunk.length > file.size() - chunk.begin)
      refuse(fmt::format("ends within the {} bytes of chunk {}", chunk.length, readable(chunk.name)));
    const auto length = static_cast<std::size_t>(chunk.length);
    const Bytes content = file.subspan(chunk.begin, length);
    if (chunk.name == "IHDR") read_header(content, header);
    if (chunk.name == "PLTE" && header.color == 3) read_palette(content, header);
    if (chunk.name == "iCCP" || chunk.name == "zTXt") check_compression(chunk.name, content);
    if (chunk.name == "fcTL") check_first_frame(content, header);
    at = chunk.begin + length;
    if ((chunk.name[0] & 0x20) == 0) {  // a critical chunk
      if (file.size() - at < 4) refuse(fmt::format("ends in the checksum of chunk {}", readable(chunk.name)));
      const auto crc = crc32(0, file.data() + chunk.begin - 4, static_cast<uInt>(length + 4));
      if (crc != big_endian32(file, at)) refuse(fmt::format("wrong checksum of chunk {}", readable(chunk.name)));
    }
    at += 4;
  }
  refuse("ends before the image data");
}

/// All image data from chunk `idat` on; the checksums between are skipped unread. `cut` as in PngChunks.
Bytes image_data(Bytes file, Chunk chunk, std::vector<std::uint8_t>& joined, bool& cut) {
  Bytes data;
  for (bool first = true;; first = false) {
    const auto length = static_cast<std::size_t>(chunk.length);
    const Bytes part = file.subspan(chunk.begin, std::min(length, file.size() - chunk.begin));
    if (first) {
      data = part;
    } else {
      if (data.data() != joined.data()) joined.assign(data.begin(), data.end());
      joined.insert(joined.end(), part.begin(), part.end());
      data = joined;
    }
    cut = !chunk_at(file, chunk.begin + length + 4, chunk);
    if (cut || (chunk.name != "IDAT" && chunk.name != "DDAT")) return data;
  }
}

}  // namespace

PngChunks read_png_chunks(Bytes file, std::vector<std::uint8_t>& joined) {
  PngHeader header;
  header.color = -1;
  const Chunk idat = read_head(file, header);
  check_size(header.width, header.height);
  if (header.color < 0) refuse("bit depth and colour type do not go together");
  PngChunks chunks{.header = header, .data = {}};
  chunks.data = image_data(file, idat, joined, chunks.cut);
  return chunks;
}

}  // namespace nearfar
