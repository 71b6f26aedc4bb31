/// Windows BMP: uncompressed, 1 to 32 bits a pixel, palettes and bit fields, bottom-up or top-down. Alpha is dropped. Run-length coded
/// files are refused: no data set of the field has one. Rows that a truncated file lacks are colour 0 of the palette, or black, as Pillow
/// leaves them. Format: Windows GDI, BITMAPINFOHEADER.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "pixels/row_reader.h"

namespace nearfar {
namespace {

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorKind::data, "BMP: " + what); }

std::uint32_t little(std::span<const std::uint8_t> file, std::size_t at, int bytes) {
  if (at > file.size() || file.size() - at < static_cast<std::size_t>(bytes)) fail("the header is cut off");
  std::uint32_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8U | file[at + static_cast<std::size_t>(i)];
  return value;
}

/// One colour of a packed pixel: its bits stretched to 0 … 255.
struct Channel {
  std::uint32_t mask = 0;
  int shift = 0;
  std::uint32_t most = 0;  ///< mask shifted down
  std::uint8_t of(std::uint32_t pixel) const {
    return most == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(((pixel & mask) >> shift) * 255U / most);
  }
};

Channel channel(std::uint32_t mask) {
  const int shift = mask == 0 ? 0 : std::countr_zero(mask);
  return {mask, shift, mask >> shift};
}

class BmpReader final : public RowReader {
 public:
  ImageSize open(std::span<const std::uint8_t> file) override {
    file_ = file;
    const std::size_t data = little(file, 10, 4), header = little(file, 14, 4);
    const bool core = header == 12;  // OS/2
    if (!core && header < 40) fail(fmt::format("a header of {} bytes; 12, 40, 52, 56, 64, 108 and 124 are known", header));
    const std::int64_t width = core ? little(file, 18, 2) : std::int64_t{static_cast<std::int32_t>(little(file, 18, 4))};
    const std::int64_t height = core ? little(file, 20, 2) : std::int64_t{static_cast<std::int32_t>(little(file, 22, 4))};
    bits_ = static_cast<int>(little(file, core ? 24 : 28, 2));
    const std::uint32_t compression = core ? 0 : little(file, 30, 4);
    top_down_ = height < 0;
    size_ = {width, height < 0 ? -height : height};
    check_size(size_.width, size_.height);
    if (compression != 0 && compression != 3) fail(fmt::format("compression {}; only uncompressed files are read", compression));
    if (bits_ != 1 && bits_ != 4 && bits_ != 8 && bits_ != 16 && bits_ != 24 && bits_ != 32) fail(fmt::format("{} bits a pixel", bits_));
    if (compression == 3 && bits_ != 16 && bits_ != 32) fail(fmt::format("bit fields with {} bits a pixel", bits_));
    if (bits_ <= 8) read_palette(14 + header, core ? 3 : 4, core ? 0 : little(file, 46, 4), data);
    if (bits_ == 16 || bits_ == 32) read_masks(header, compression == 3);
    stride_ = (static_cast<std::size_t>(size_.width) * static_cast<std::size_t>(bits_) + 31) / 32 * 4;
    data_ = data;
    return size_;
  }

  void start(const Window& window) override {
    window_ = window;
    y_ = window.top;
    row_.assign(static_cast<std::size_t>(window.right - window.left) * 3 + kRowSlack, 0);
  }

  const std::uint8_t* next_row() override {
    const std::int64_t y = y_++;
    const auto line = static_cast<std::size_t>(top_down_ ? y : size_.height - 1 - y);
    // Sides are at most a million, so line * stride cannot overflow. A row counts only when all of it is there.
    const std::size_t at = data_ + line * stride_, used = (static_cast<std::size_t>(size_.width) * static_cast<std::size_t>(bits_) + 7) / 8;
    const bool there = at <= file_.size() && file_.size() - at >= used;
    std::uint8_t* out = row_.data();
    for (std::int64_t x = window_.left; x < window_.right; ++x, out += 3) {
      const std::array<std::uint8_t, 3> rgb = there ? pixel(at, x) : bits_ <= 8 ? palette_[0] : std::array<std::uint8_t, 3>{};
      std::memcpy(out, rgb.data(), 3);
    }
    return row_.data();
  }

 private:
  using Colour = std::array<std::uint8_t, 3>;

  void read_palette(std::size_t at, std::size_t entry, std::uint32_t colours, std::size_t data) {
    palette_.fill({});
    const std::size_t most = std::size_t{1} << static_cast<unsigned>(bits_);
    std::size_t count = colours == 0 ? most : colours;
    if (count > 65536) fail(fmt::format("a palette of {} colours", count));
    if (data > at) count = std::min(count, (data - at) / entry);
    for (std::size_t i = 0; i < std::min(count, most); ++i) {
      const std::size_t from = at + i * entry;
      if (from + 3 > file_.size()) break;  // cut off: the rest is black
      palette_[i] = {file_[from + 2], file_[from + 1], file_[from]};
    }
  }

  void read_masks(std::size_t header, bool fields) {
    if (!fields) {
      red_ = channel(bits_ == 16 ? 0x7c00U : 0xff0000U);
      green_ = channel(bits_ == 16 ? 0x3e0U : 0xff00U);
      blue_ = channel(bits_ == 16 ? 0x1fU : 0xffU);
      return;
    }
    static_cast<void>(header);  // the masks follow the 40 bytes that all versions share, within the header or after it
    red_ = channel(little(file_, 54, 4));
    green_ = channel(little(file_, 58, 4));
    blue_ = channel(little(file_, 62, 4));
    for (const Channel& one : {red_, green_, blue_}) {
      if ((one.most & (one.most + 1)) != 0 || std::popcount(one.mask) > 8) fail(fmt::format("bit mask {:#x}", one.mask));
    }
  }

  Colour pixel(std::size_t at, std::int64_t x) const {
    const auto column = static_cast<std::size_t>(x);
    switch (bits_) {
      case 1:
        return palette_[file_[at + column / 8] >> (7 - column % 8) & 1U];
      case 4:
        return palette_[file_[at + column / 2] >> (column % 2 == 0 ? 4 : 0) & 15U];
      case 8:
        return palette_[file_[at + column]];
      case 24:
        return {file_[at + 3 * column + 2], file_[at + 3 * column + 1], file_[at + 3 * column]};
      default: {
        const int bytes = bits_ / 8;
        const std::uint32_t value = little(file_, at + column * static_cast<std::size_t>(bytes), bytes);
        return {red_.of(value), green_.of(value), blue_.of(value)};
      }
    }
  }

  std::span<const std::uint8_t> file_;
  ImageSize size_;
  Window window_;
  std::int64_t y_ = 0;
  std::size_t data_ = 0, stride_ = 0;
  int bits_ = 24;
  bool top_down_ = false;
  std::array<Colour, 256> palette_{};
  Channel red_, green_, blue_;
  std::vector<std::uint8_t> row_;
};

}  // namespace

std::unique_ptr<RowReader> make_bmp_reader() { return std::make_unique<BmpReader>(); }

}  // namespace nearfar
