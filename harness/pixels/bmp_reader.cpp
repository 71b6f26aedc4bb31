/// BMP: 1 to 32 bits a pixel, palettes, bit fields, run-length codes, bottom-up or top-down. Alpha is dropped. Rows
/// that a truncated file lacks are colour 0 of the palette, or black, as Pillow leaves them. Format: Windows GDI,
/// BITMAPINFOHEADER; what is read of damaged or odd files follows Pillow's BmpImagePlugin.
#include "base/error.h"
#include "pixels/row_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

namespace nearfar {
namespace {

using Colour = std::array<std::uint8_t, 3>;

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorKind::data, "BMP: " + what); }

std::uint32_t little(const std::uint8_t* from, int bytes) {
  std::uint32_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8U | from[i];
  return value;
}

std::uint32_t little(std::span<const std::uint8_t> file, std::size_t at, int bytes) {
  if (at > file.size() || file.size() - at < static_cast<std::size_t>(bytes)) fail("the header is cut off");
  return little(file.data() + at, bytes);
}

/// One colour of a packed pixel: its bits stretched to 0 … 255.
struct Channel {
  std::uint32_t mask = 0;
  int shift = 0;
  std::uint32_t most = 1;  ///< mask shifted down
  std::uint8_t of(std::uint32_t pixel) const {
    return static_cast<std::uint8_t>(((pixel & mask) >> shift) * 255U / most);
  }
};

Channel channel(std::uint32_t mask) { return {mask, std::countr_zero(mask), mask >> std::countr_zero(mask)}; }

using Masks = std::array<std::uint32_t, 4>;  ///< red, green, blue, alpha
constexpr Masks k555{0x7c00, 0x3e0, 0x1f, 0}, k565{0xf800, 0x7e0, 0x1f, 0}, k888{0xff0000, 0xff00, 0xff, 0};
/// The layouts of 32 bits that Pillow knows; all masks zero stand for the first.
constexpr std::array<Masks, 7> k32{{k888,
                                    {0xff0000, 0xff00, 0xff, 0xff000000},
                                    {0xff000000, 0xff0000, 0xff00, 0},
                                    {0xff000000, 0xff0000, 0xff00, 0xff},
                                    {0xff000000, 0xff00, 0xff, 0},
                                    {0xff000000, 0xff00, 0xff, 0xff0000},
                                    {0xff, 0xff00, 0xff0000, 0xff000000}}};

enum Compression : std::uint32_t { kNone = 0, kRuns8 = 1, kRuns4 = 2, kFields = 3 };

struct Header {
  std::size_t bytes = 0;  ///< of the header that follows the 14 bytes of the file's
  std::size_t data = 0;   ///< where the pixels begin, as declared
  std::int64_t width = 0, height = 0;
  bool top_down = false;
  unsigned bits = 0;
  std::uint32_t compression = kNone, colours = 0;
  std::size_t entry = 4;  ///< bytes of a palette's colour
};

Header read_header(std::span<const std::uint8_t> file) {
  constexpr std::array<std::size_t, 7> kKnown{12, 40, 52, 56, 64, 108, 124};
  Header h{.bytes = little(file, 14, 4), .data = little(file, 10, 4)};
  if (std::find(kKnown.begin(), kKnown.end(), h.bytes) == kKnown.end())
    fail(fmt::format("a header of {} bytes; 12, 40, 52, 56, 64, 108 and 124 are known", h.bytes));
  if (file.size() < 14 + h.bytes) fail("the header is cut off");
  if (h.bytes == 12) {  // OS/2
    h.width = little(file, 18, 2);
    h.height = little(file, 20, 2);
    h.bits = little(file, 24, 2);
    h.entry = 3;
  } else {
    h.width = static_cast<std::int32_t>(little(file, 18, 4));
    h.height = static_cast<std::int32_t>(little(file, 22, 4));
    h.bits = little(file, 28, 2);
    h.compression = little(file, 30, 4);
    h.colours = little(file, 46, 4);
  }
  h.top_down = h.height < 0;
  if (h.top_down) h.height = -h.height;
  check_size(h.width, h.height);
  if (h.bits != 1 && h.bits != 4 && h.bits != 8 && h.bits != 16 && h.bits != 24 && h.bits != 32)
    fail(fmt::format("{} bits a pixel", h.bits));
  if (h.compression > kFields)
    fail(fmt::format("compression {}; 0 to 3 are read: none, run-length codes and bit fields", h.compression));
  if (h.compression == kFields && h.bits <= 8) fail(fmt::format("bit fields with {} bits a pixel", h.bits));
  if ((h.compression == kRuns8 || h.compression == kRuns4) && h.bits > 8)
    fail(fmt::format("run-length codes of {} bits a pixel", h.bits));
  if (h.colours == 0 && h.bits <= 8) h.colours = 1U << h.bits;
  return h;
}

class BmpReader final : public RowReader {
 public:
  ImageSize open(std::span<const std::uint8_t> file) override {
    file_ = file;
    header_ = read_header(file);
    raw_bits_ = header_.bits;
    palette_.fill({});
    std::size_t end = 14 + header_.bytes;  // of what comes before the pixels
    if (header_.data == end && header_.bits <= 8)
      header_.data += header_.entry * header_.colours;  // some writers forget the palette
    if (header_.bits <= 8) end = read_palette(end);
    if (header_.bits >= 16) end = read_masks(end);
    data_ = header_.data != 0 ? header_.data : end;
    stride_ = (static_cast<std::size_t>(header_.width) * header_.bits + 31) / 32 * 4;
    runs_ = header_.compression == kRuns8 || header_.compression == kRuns4;
    return {header_.width, header_.height};
  }

  void start(const Window& window) override {
    window_ = window;
    y_ = window.top;
    row_.assign(static_cast<std::size_t>(window.right - window.left) * 3 + kRowSlack, 0);
    if (runs_) read_runs(header_.compression == kRuns4);
  }

  const std::uint8_t* next_row() override {
    const std::int64_t y = y_++;
    const auto line = static_cast<std::size_t>(header_.top_down ? y : header_.height - 1 - y),
               width = static_cast<std::size_t>(header_.width);
    if (runs_) {
      to_rgb(indices_.data() + line * width, 8);
      return row_.data();
    }
    // Sides are at most a million, so line * stride cannot overflow. A row counts only when all of it is there.
    const std::size_t at = data_ + line * stride_, used = (width * raw_bits_ + 7) / 8;
    const bool there = used <= stride_ && at <= file_.size() && file_.size() - at >= used;
    if (there) {
      to_rgb(file_.data() + at, raw_bits_);
    } else {
      each([this](std::size_t) { return palette_[0]; });
    }
    return row_.data();
  }

  /// By the header's own bits a pixel, whatever Pillow takes them for. Run-length codes that end early are refused.
  bool damaged() const override {
    const std::size_t used = (static_cast<std::size_t>(header_.width) * header_.bits + 7) / 8,
                      last = data_ + static_cast<std::size_t>(header_.height - 1) * stride_;
    return !runs_ && (last > file_.size() || file_.size() - last < used);
  }

 private:
  /// Fills palette_, which stays black where the file has no colours, and tells where it ends.
  std::size_t read_palette(std::size_t at) {
    if (header_.colours > 65536) fail(fmt::format("a palette of {} colours", header_.colours));
    const std::size_t given = std::min(header_.entry * header_.colours, file_.size() - at);
    const auto colour = [&](std::size_t i) {
      const std::uint8_t* from = file_.data() + at + i * header_.entry;
      return Colour{from[2], from[1], from[0]};
    };
    bool gray =
        true;  // as Pillow has it: a palette that says nothing, then forgotten, and the pixels taken for 1 or 8 bits
    for (std::size_t i = 0; gray && i < header_.colours; ++i) {
      const auto value = static_cast<std::uint8_t>(header_.colours == 2 ? i * 255 : i);
      gray = given >= i * header_.entry + 3 && colour(i) == Colour{value, value, value};
    }
    if (gray) {
      const bool two = header_.colours <= 2;
      raw_bits_ = two ? 1 : 8;
      for (std::size_t i = 0; i < palette_.size(); ++i)
        palette_[i].fill(static_cast<std::uint8_t>(two && i > 0 ? 255 : i));
    } else {
      if (given / header_.entry > palette_.size()) fail(fmt::format("a palette of {} colours", given / header_.entry));
      for (std::size_t i = 0; i < given / header_.entry; ++i) palette_[i] = colour(i);
    }
    return at + given;
  }

  /// Of 16, 24 and 32 bits; tells where the masks end.
  std::size_t read_masks(std::size_t end) {
    Masks masks = header_.bits == 16 ? k555 : k888;
    if (header_.compression == kFields) {  // after the 40 bytes that all versions share, within the header or behind it
      masks = {little(file_, 54, 4), little(file_, 58, 4), little(file_, 62, 4), 0};
      if (header_.bytes >= 56) masks[3] = little(file_, 66, 4);
      if (header_.bytes == 40) end += 12;
      const bool known = header_.bits == 32
                             ? masks == Masks{} || std::find(k32.begin(), k32.end(), masks) != k32.end()
                             : std::equal(masks.begin(), masks.end() - 1, (header_.bits == 24 ? k888 : k565).begin()) ||
                                   (header_.bits == 16 && std::equal(masks.begin(), masks.end() - 1, k555.begin()));
      if (!known)
        fail(fmt::format("bit fields {:#x} of {} bits; not a layout in use", fmt::join(masks, " "), header_.bits));
      if (masks == Masks{}) masks = k888;
    }
    red_ = channel(masks[0]);
    green_ = channel(masks[1]);
    blue_ = channel(masks[2]);
    return end;
  }

  /// Colour numbers of the whole image, in the order of the file. Runs that leave pixels open are an error, as in
  /// Pillow.
  void read_runs(bool four) {
    const auto width = static_cast<std::size_t>(header_.width), all = width * static_cast<std::size_t>(header_.height);
    std::size_t at = std::min(data_, file_.size()), x = 0;
    const auto pixel = [four](const std::uint8_t* from, std::size_t i) -> std::uint8_t {
      return !four ? from[i] : static_cast<std::uint8_t>(i % 2 == 0 ? from[i / 2] >> 4 : from[i / 2] & 15);
    };
    indices_.clear();
    while (indices_.size() < all && file_.size() - at >= 2) {
      const std::size_t count = file_[at], code = file_[at + 1];
      at += 2;
      if (count > 0) {  // one colour, or two in turn
        const std::size_t run = std::min(count, width - std::min(x, width));
        for (std::size_t i = 0; i < run; ++i) indices_.push_back(four ? pixel(&file_[at - 1], i % 2) : file_[at - 1]);
        x += run;
      } else if (code == 0) {  // end of line
        indices_.resize((indices_.size() + width - 1) / width * width);
        x = 0;
      } else if (code == 1) {  // end of image
        break;
      } else if (code == 2) {  // skip
        if (file_.size() - at < 2) break;
        indices_.resize(indices_.size() + std::min(all - indices_.size(), file_[at] + file_[at + 1] * width));
        x = indices_.size() % width;
        at += 2;
      } else {  // as they are, padded to an even place in the file
        const std::size_t wanted = std::min(all - indices_.size(), code), bytes = four ? (wanted + 1) / 2 : wanted;
        const std::size_t given = std::min(bytes, file_.size() - at);
        for (std::size_t i = 0; i < std::min(wanted, four ? given * 2 : given); ++i)
          indices_.push_back(pixel(&file_[at], i));
        if (given < bytes || indices_.size() == all) break;
        at += given;
        at = std::min(at + at % 2, file_.size());
        x += code;
      }
    }
    if (indices_.size() < all)
      fail(fmt::format("the run-length codes end after {} of {} pixels", indices_.size(), all));
  }

  /// The window's columns into row_, `colour` of each.
  template <typename Get>
  void each(Get colour) {
    std::uint8_t* out = row_.data();
    for (auto x = static_cast<std::size_t>(window_.left); x < static_cast<std::size_t>(window_.right); ++x, out += 3) {
      const Colour rgb = colour(x);
      std::memcpy(out, rgb.data(), 3);
    }
  }

  void to_rgb(const std::uint8_t* in, unsigned bits) {
    const auto packed = [&](int bytes) {
      each([&](std::size_t x) {
        const std::uint32_t value = little(in + x * static_cast<std::size_t>(bytes), bytes);
        return Colour{red_.of(value), green_.of(value), blue_.of(value)};
      });
    };
    switch (bits) {
      case 1:
        return each([&](std::size_t x) { return palette_[in[x / 8] >> (7 - x % 8) & 1U]; });
      case 4:
        return each([&](std::size_t x) { return palette_[in[x / 2] >> (x % 2 == 0 ? 4 : 0) & 15U]; });
      case 8:
        return each([&](std::size_t x) { return palette_[in[x]]; });
      case 24:
        return each([&](std::size_t x) { return Colour{in[3 * x + 2], in[3 * x + 1], in[3 * x]}; });
      default:
        return packed(static_cast<int>(bits / 8));
    }
  }

  std::span<const std::uint8_t> file_;
  Header header_;
  Window window_;
  std::int64_t y_ = 0;
  std::size_t data_ = 0, stride_ = 0;
  unsigned raw_bits_ = 24;  ///< of a pixel in the file; Pillow takes gray palettes for 1 or 8 whatever the header says
  bool runs_ = false;
  std::array<Colour, 256> palette_{};
  Channel red_, green_, blue_;
  std::vector<std::uint8_t> indices_, row_;
};

}  // namespace

std::unique_ptr<RowReader> make_bmp_reader() { return std::make_unique<BmpReader>(); }

}  // namespace nearfar
