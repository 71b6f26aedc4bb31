/// TIFF: the first page. libtiff reads the tags and decodes compressed strips and tiles, of which a damaged one is an
/// error, as in Pillow. Uncompressed ones are taken from the file itself: whole rows that are there count, others are
/// 0. Format: TIFF 6.0.
#include "base/error.h"
#include "pixels/row_reader.h"
#include "pixels/tiff_layout.h"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kMaxChunk = std::size_t{1}
                                  << 30;  // bytes of a decoded strip or tile, and of what libtiff takes at once

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorKind::data, "TIFF: " + what); }

/// What libtiff reads, and what it says of it. It is called from C: nothing here throws.
struct Source {
  Bytes file;
  std::size_t at = 0;
  char message[200] = "";  ///< the first error
  bool warned = false;
};

Source& source_of(void* data) { return *static_cast<Source*>(data); }

tmsize_t read_some(thandle_t handle, void* out, tmsize_t size) {
  Source& source = source_of(handle);
  const std::size_t left = source.at < source.file.size() ? source.file.size() - source.at : 0;
  const std::size_t given = std::min(left, static_cast<std::size_t>(std::max<tmsize_t>(size, 0)));
  if (given > 0) std::memcpy(out, source.file.data() + source.at, given);
  source.at += given;
  return static_cast<tmsize_t>(given);
}
tmsize_t write_none(thandle_t, void*, tmsize_t) { return 0; }
toff_t seek_to(thandle_t handle, toff_t offset, int whence) {
  Source& source = source_of(handle);
  const std::size_t base = whence == SEEK_CUR ? source.at : whence == SEEK_END ? source.file.size() : 0;
  source.at = base + static_cast<std::size_t>(offset);
  return source.at;
}
int close_none(thandle_t) { return 0; }
toff_t size_of(thandle_t handle) { return source_of(handle).file.size(); }
int map_none(thandle_t, void**, toff_t*) { return 0; }
void unmap_none(thandle_t, void*, toff_t) {}

int on_error(TIFF*, void* data, const char*, const char* format, va_list arguments) {
  Source& source = source_of(data);
  if (source.message[0] == '\0') std::vsnprintf(source.message, sizeof source.message, format, arguments);
  return 1;
}
int on_warning(TIFF*, void* data, const char*, const char*, va_list) {
  source_of(data).warned = true;
  return 1;
}

struct Close {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Handle = std::unique_ptr<TIFF, Close>;

Handle open_file(Source& source) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 TIFFOpenOptionsFree);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &source);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxChunk);
  // r: read, m: not mapped, O: lists of strips are loaded when they are needed
  Handle tiff(TIFFClientOpenExt("image", "rmO", &source, read_some, write_none, seek_to, close_none, size_of, map_none,
                                unmap_none, options.get()));
  if (!tiff) fail(fmt::format("damaged or cut off before its tags: {}", source.message));
  return tiff;
}

template <class T>
T tag(TIFF* tiff, std::uint32_t name, T otherwise) {
  T value{};
  return TIFFGetField(tiff, name, &value) == 1 ? value : otherwise;
}

TiffTags read_tags(TIFF* tiff, bool big_endian) {
  TiffTags tags;
  tags.width = tag<std::uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0);
  tags.height = tag<std::uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0);
  check_size(tags.width, tags.height);
  tags.photometric = tag<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, 0);
  tags.bits = tag<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  tags.samples = tag<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  tags.sample_format = tag<std::uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, 1);
  tags.compression = tag<std::uint16_t>(tiff, TIFFTAG_COMPRESSION, 1);
  tags.planes = tag<std::uint16_t>(tiff, TIFFTAG_PLANARCONFIG, 1);
  tags.fill_order = tag<std::uint16_t>(tiff, TIFFTAG_FILLORDER, 1);
  tags.orientation = tag<std::uint16_t>(tiff, TIFFTAG_ORIENTATION, 1);
  if (tags.orientation < 1 || tags.orientation > 8) tags.orientation = 1;
  tags.big_endian = big_endian;
  std::uint16_t count = 0;
  const std::uint16_t* extra = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &extra) == 1) tags.extra.assign(extra, extra + count);
  if (tags.photometric == PHOTOMETRIC_PALETTE && tags.bits <= 8) {
    const std::uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
    if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) != 1) fail("a palette image without a palette");
    for (std::size_t i = 0; i < std::size_t{1} << tags.bits; ++i) {
      const auto high = [i](const std::uint16_t* channel) { return static_cast<std::uint8_t>(channel[i] >> 8); };
      tags.palette.push_back({high(red), high(green), high(blue)});
    }
  }
  return tags;
}

/// Strips or tiles: strips are as wide as the image.
struct Chunks {
  std::int64_t width = 0, height = 0, across = 1, down = 1;
  bool tiled = false;
};

Chunks read_chunks(TIFF* tiff, const TiffTags& tags) {
  Chunks chunks{.width = tags.width, .height = tags.height, .tiled = TIFFIsTiled(tiff) != 0};
  if (chunks.tiled) {
    chunks.width = tag<std::uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0);
    chunks.height = tag<std::uint32_t>(tiff, TIFFTAG_TILELENGTH, 0);
  } else {
    chunks.height = std::min<std::int64_t>(tag<std::uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP, 0xffffffff), tags.height);
  }
  if (chunks.width == 0 || chunks.height == 0) fail("strips or tiles without rows");
  chunks.across = (tags.width + chunks.width - 1) / chunks.width;
  chunks.down = (tags.height + chunks.height - 1) / chunks.height;
  return chunks;
}

class TiffReader final : public RowReader {
 public:
  ImageSize open(Bytes file) override {
    tiff_.reset();
    source_ = {.file = file};
    tiff_ = open_file(source_);
    tags_ = read_tags(tiff_.get(), file[0] == 'M');
    pixels_ = pixels_of(tags_);
    if (tags_.photometric == PHOTOMETRIC_YCBCR) TIFFSetField(tiff_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    chunks_ = read_chunks(tiff_.get(), tags_);
    const auto row = static_cast<std::size_t>(pixels_.row_bytes(chunks_.width));
    if (tags_.compressed()) {
      if (row > kMaxChunk / static_cast<std::size_t>(chunks_.height))
        fail(fmt::format("strips or tiles of {} x {} pixels are more than {} MiB", chunks_.width, chunks_.height,
                         kMaxChunk >> 20));
      if (TIFFIsCODECConfigured(static_cast<std::uint16_t>(tags_.compression)) == 0)
        fail(fmt::format("compression {} is not built into libtiff; save it with LZW or deflate", tags_.compression));
    }
    return turned({tags_.width, tags_.height}, tags_.orientation);
  }

  void start(const Window& window) override {
    window_ = window;
    y_ = window.top;
    damaged_ = false;
    row_.assign(static_cast<std::size_t>(window.right - window.left) * 3 + kRowSlack, 0);
    fill_page();
    source_.warned = false;
    const std::int64_t planes = pixels_.planar ? 3 : 1;  // what comes behind is alpha
    for (std::int64_t plane = 0; plane < planes; ++plane) {
      for (std::int64_t down = 0; down < chunks_.down; ++down) {
        for (std::int64_t across = 0; across < chunks_.across; ++across) read_chunk(plane, across, down);
      }
    }
    damaged_ = damaged_ || (tags_.compressed() && source_.warned);
    tiff_.reset();
  }

  const std::uint8_t* next_row() override {
    const ImageSize stored{tags_.width, tags_.height};
    std::uint8_t* out = row_.data();
    for (std::int64_t x = window_.left; x < window_.right; ++x, out += 3)
      std::memcpy(out, &rgb_[static_cast<std::size_t>(stored_place(stored, tags_.orientation, x, y_)) * 3], 3);
    ++y_;
    return row_.data();
  }

  bool damaged() const override { return damaged_; }

 private:
  /// As Pillow's fresh image is: 0, which is a palette's first colour and no ink at all.
  void fill_page() {
    const auto pixels = static_cast<std::size_t>(tags_.width * tags_.height);
    rgb_.assign(pixels * 3, pixels_.kind == TiffKind::cmyk ? 255 : 0);
    if (pixels_.kind != TiffKind::palette) return;
    for (std::size_t i = 0; i < pixels; ++i) std::memcpy(&rgb_[i * 3], tags_.palette[0].data(), 3);
  }

  void read_chunk(std::int64_t plane, std::int64_t across, std::int64_t down) {
    const std::int64_t left = across * chunks_.width, top = down * chunks_.height;
    const auto number = static_cast<std::uint32_t>((plane * chunks_.down + down) * chunks_.across + across);
    const std::int64_t rows = std::min(chunks_.height, tags_.height - top);
    const std::size_t stride = pixels_.row_bytes(chunks_.width);
    const auto columns = static_cast<std::size_t>(std::min(chunks_.width, tags_.width - left));
    const Bytes data = tags_.compressed()
                           ? decoded(number, stride * static_cast<std::size_t>(chunks_.tiled ? chunks_.height : rows))
                           : stored(number);
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::size_t at = static_cast<std::size_t>(row) * stride;
      // A strip's last row is there when its pixels are; a tile's has columns beyond the image, which need not be.
      if (at > data.size() || data.size() - at < pixels_.row_bytes(static_cast<std::int64_t>(columns))) {
        damaged_ = true;
        return;
      }
      std::uint8_t* out = &rgb_[static_cast<std::size_t>((top + row) * tags_.width + left) * 3];
      if (!pixels_.planar) {
        tiff_to_rgb(pixels_, tags_, data.data() + at, columns, out);
        continue;
      }
      for (std::size_t x = 0; x < columns; ++x) out[3 * x + static_cast<std::size_t>(plane)] = data[at + x];
    }
  }

  Bytes decoded(std::uint32_t number, std::size_t size) {
    const tmsize_t declared =
        chunks_.tiled
            ? TIFFTileSize(tiff_.get())
            : TIFFVStripSize(tiff_.get(), static_cast<std::uint32_t>(size / pixels_.row_bytes(chunks_.width)));
    if (declared != static_cast<tmsize_t>(size)) fail("strips or tiles of another size than their pixels need");
    chunk_.resize(std::max(chunk_.size(), size));
    const auto wanted = static_cast<tmsize_t>(size);
    const tmsize_t given = chunks_.tiled ? TIFFReadEncodedTile(tiff_.get(), number, chunk_.data(), wanted)
                                         : TIFFReadEncodedStrip(tiff_.get(), number, chunk_.data(), wanted);
    if (given != wanted) fail(fmt::format("strip or tile {} is damaged or cut off: {}", number, source_.message));
    return {chunk_.data(), size};
  }

  Bytes stored(std::uint32_t number) {
    int error = 0;
    const std::uint64_t offset = TIFFGetStrileOffsetWithErr(tiff_.get(), number, &error);
    if (error != 0) fail(fmt::format("the list of strips or tiles is damaged or cut off: {}", source_.message));
    return offset == 0 || offset >= source_.file.size() ? Bytes{} : source_.file.subspan(offset);
  }

  Source source_;
  Handle tiff_;  // after source_, which it reads
  TiffTags tags_;
  TiffPixels pixels_;
  Chunks chunks_;
  Window window_;
  std::int64_t y_ = 0;
  bool damaged_ = false;
  std::vector<std::uint8_t> chunk_, rgb_,
      row_;  // a decoded strip or tile; the page as it is stored; a row as it is shown
};

}  // namespace

std::unique_ptr<RowReader> make_tiff_reader() { return std::make_unique<TiffReader>(); }

}  // namespace nearfar
