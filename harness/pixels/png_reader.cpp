/// PNG by zlib and the five row filters, stopping where Pillow's decoder does on damaged data, which no library's row
/// interface tells: a row is kept if inflate filled it without an error while input was left. Samples become RGB as by
/// Pillow's unpackers and convert("RGB"). Missing rows stay as in Pillow's fresh image: 0, which for a palette is its
/// first colour.
#include "base/error.h"
#include "pixels/png_chunks.h"
#include "pixels/row_reader.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <new>
#include <vector>

namespace nearfar {
namespace {

/// Where the pixels of an Adam7 pass lie.
struct Pass {
  std::int64_t left = 0, across = 1, top = 0, down = 1;
};
constexpr Pass kNotInterlaced{};
constexpr std::array<Pass, 7> kAdam7{
    {{0, 8, 0, 8}, {4, 8, 0, 8}, {0, 4, 4, 8}, {2, 4, 0, 4}, {0, 2, 2, 4}, {1, 2, 0, 2}, {0, 1, 1, 2}}};

int channels_of(int color) { return color == 2 ? 3 : color == 4 ? 2 : color == 6 ? 4 : 1; }

std::uint8_t paeth(int left, int above, int corner) {
  const int to_left = std::abs(above - corner), to_above = std::abs(left - corner),
            to_corner = std::abs(left + above - 2 * corner);
  if (to_left <= to_above && to_left <= to_corner) return static_cast<std::uint8_t>(left);
  return static_cast<std::uint8_t>(to_above <= to_corner ? above : corner);
}

/// Undoes filter `type` of a row in place; `above` is the row before, `step` a pixel's bytes. False if there is no such
/// filter.
bool unfilter(int type, std::uint8_t* row, const std::uint8_t* above, std::size_t size, std::size_t step) {
  const auto add = [](std::uint8_t& byte, int value) { byte = static_cast<std::uint8_t>(byte + value); };
  const std::size_t first = std::min(step, size);  // bytes that have nothing on their left
  switch (type) {
    case 0:
      return true;
    case 1:
      for (std::size_t i = first; i < size; ++i) add(row[i], row[i - step]);
      return true;
    case 2:
      for (std::size_t i = 0; i < size; ++i) add(row[i], above[i]);
      return true;
    case 3:
      for (std::size_t i = 0; i < first; ++i) add(row[i], above[i] / 2);
      for (std::size_t i = first; i < size; ++i) add(row[i], (row[i - step] + above[i]) / 2);
      return true;
    case 4:
      for (std::size_t i = 0; i < first; ++i) add(row[i], above[i]);
      for (std::size_t i = first; i < size; ++i) add(row[i], paeth(row[i - step], above[i], above[i - step]));
      return true;
    default:
      return false;
  }
}

class PngReader final : public RowReader {
 public:
  PngReader();
  ~PngReader() override { inflateEnd(&stream_); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  ImageSize open(std::span<const std::uint8_t> file) override;
  void start(const Window& window) override;
  const std::uint8_t* next_row() override;
  /// Rows below the window are not inflated: of those only a file that ends too early is noticed.
  bool damaged() const override { return cut_ || missing_; }

 private:
  bool inflate_row(std::size_t size);
  void decode_interlaced();
  void to_rgb(const Pass& pass, std::uint8_t* rgb) const;
  void fill_missing(std::uint8_t* rgb, std::size_t pixels) const;
  std::size_t bytes_of(std::int64_t pixels) const {
    return (static_cast<std::size_t>(pixels) * static_cast<std::size_t>(channels_of(header_.color) * header_.depth) +
            7) /
           8;
  }

  z_stream stream_{};
  PngHeader header_;
  std::span<const std::uint8_t> data_;
  Window window_;
  std::vector<std::uint8_t> joined_;       // image data of several chunks
  std::vector<std::uint8_t> row_, above_;  // filter type, then samples as stored
  std::vector<std::uint8_t> rgb_;          // one row of the window; all of it if interlaced
  std::int64_t y_ = 0;                     // next row of the window, counted from its top
  bool alive_ = false;                     // the data is good so far
  bool cut_ = false, missing_ = false;     // the file ends too early; some row has no data
};

PngReader::PngReader() {
  if (inflateInit(&stream_) != Z_OK) throw std::bad_alloc();
}

ImageSize PngReader::open(std::span<const std::uint8_t> file) {
  const PngChunks chunks = read_png_chunks(file, joined_);
  header_ = chunks.header;
  data_ = chunks.data;
  cut_ = chunks.cut;
  return {header_.width, header_.height};
}

/// The next row into row_, unfiltered; row_ and above_ change places. False, for good, once the data ends or is wrong.
bool PngReader::inflate_row(std::size_t size) {
  missing_ = true;
  if (!alive_) return false;
  alive_ = false;
  if (stream_.avail_in == 0 || size + 1 > std::numeric_limits<uInt>::max()) return false;
  std::swap(row_, above_);
  stream_.next_out = row_.data();
  stream_.avail_out = static_cast<uInt>(size + 1);
  const int result = inflate(&stream_, Z_NO_FLUSH);
  if (result < 0 || stream_.avail_out != 0) return false;
  const auto step = static_cast<std::size_t>(std::max(1, channels_of(header_.color) * header_.depth / 8));
  if (!unfilter(row_[0], row_.data() + 1, above_.data() + 1, size, step)) return false;
  alive_ = result != Z_STREAM_END;
  missing_ = false;
  return true;
}

void PngReader::start(const Window& window) {
  window_ = window;
  y_ = 0;
  const std::size_t row_bytes = bytes_of(header_.width) + 1 + kRowSlack;
  row_.resize(std::max(row_.size(), row_bytes));
  above_.resize(std::max(above_.size(), row_bytes));
  std::fill_n(row_.begin(), row_bytes, std::uint8_t{0});
  const auto pixels = static_cast<std::size_t>(window_.right - window_.left);
  const auto rows = header_.interlaced ? static_cast<std::size_t>(window_.bottom - window_.top) : 1;
  rgb_.resize(std::max(rgb_.size(), rows * pixels * 3 + kRowSlack));

  alive_ = inflateReset(&stream_) == Z_OK;
  missing_ = false;
  stream_.next_in = const_cast<Bytef*>(data_.data());
  stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(data_.size(), std::numeric_limits<uInt>::max()));
  if (header_.interlaced) return decode_interlaced();
  for (std::int64_t y = 0; y < window_.top; ++y) inflate_row(row_bytes - 1 - kRowSlack);
}

void PngReader::decode_interlaced() {
  const auto pixels = static_cast<std::size_t>(window_.right - window_.left);
  fill_missing(rgb_.data(), pixels * static_cast<std::size_t>(window_.bottom - window_.top));
  for (const Pass& pass : kAdam7) {
    const std::int64_t width = (header_.width - pass.left + pass.across - 1) / pass.across;
    if (width <= 0) continue;
    std::fill(row_.begin(), row_.end(), std::uint8_t{0});  // what the first row takes for the row above
    for (std::int64_t y = pass.top; y < header_.height; y += pass.down) {
      if (!inflate_row(bytes_of(width))) return;
      if (y >= window_.top && y < window_.bottom)
        to_rgb(pass, rgb_.data() + static_cast<std::size_t>(y - window_.top) * pixels * 3);
    }
  }
}

const std::uint8_t* PngReader::next_row() {
  const auto pixels = static_cast<std::size_t>(window_.right - window_.left);
  const auto y = static_cast<std::size_t>(y_++);
  if (header_.interlaced) return rgb_.data() + y * pixels * 3;
  if (!inflate_row(bytes_of(header_.width))) {
    fill_missing(rgb_.data(), pixels);
    return rgb_.data();
  }
  if (header_.color == 2 && header_.depth == 8) return row_.data() + 1 + window_.left * 3;
  to_rgb(kNotInterlaced, rgb_.data());
  return rgb_.data();
}

void PngReader::fill_missing(std::uint8_t* rgb, std::size_t pixels) const {
  if (header_.color != 3) {
    std::fill_n(rgb, pixels * 3, std::uint8_t{0});
    return;
  }
  for (std::size_t i = 0; i < pixels; ++i) std::copy_n(header_.palette.begin(), 3, rgb + i * 3);
}

/// The pixels of row_ that lie in the window, to where their pass wants them in the row `rgb`.
void PngReader::to_rgb(const Pass& pass, std::uint8_t* rgb) const {
  const std::int64_t begin =
      (std::max<std::int64_t>(0, window_.left - pass.left) + pass.across - 1) / pass.across;  // in the pass
  const std::uint8_t* in = row_.data() + 1;
  const auto depth = static_cast<std::size_t>(header_.depth);
  const auto each = [&](auto pixel) {
    std::int64_t x = pass.left + begin * pass.across;
    for (auto i = static_cast<std::size_t>(begin); x < window_.right; ++i, x += pass.across)
      pixel(i, rgb + (x - window_.left) * 3);
  };
  const auto gray = [](std::uint8_t* out, std::uint8_t value) { out[0] = out[1] = out[2] = value; };
  const auto bits = [in, depth](std::size_t i) {  // a sample of less than 8 bits
    const std::size_t bit = i * depth;
    return static_cast<std::size_t>(in[bit / 8] >> (8 - depth - bit % 8)) & ((std::size_t{1} << depth) - 1);
  };
  const std::size_t bytes = depth / 8;  // a sample's; the high byte comes first
  switch (header_.color) {
    case 0:
      if (depth == 16) {
        each([&](std::size_t i, std::uint8_t* out) {
          gray(out, in[i * 2] != 0 ? std::uint8_t{255} : in[i * 2 + 1]);
        });  // clipped, not scaled
      } else if (depth == 8) {
        each([&](std::size_t i, std::uint8_t* out) { gray(out, in[i]); });
      } else {
        const std::size_t scale = 255 / ((std::size_t{1} << depth) - 1);
        each([&](std::size_t i, std::uint8_t* out) { gray(out, static_cast<std::uint8_t>(bits(i) * scale)); });
      }
      break;
    case 3:
      each([&](std::size_t i, std::uint8_t* out) {
        std::copy_n(header_.palette.data() + (depth == 8 ? in[i] : bits(i)) * 3, 3, out);
      });
      break;
    case 4:
      each([&](std::size_t i, std::uint8_t* out) { gray(out, in[i * 2 * bytes]); });
      break;
    default: {
      const std::size_t stride = (header_.color == 6 ? 4 : 3) * bytes;
      each([&](std::size_t i, std::uint8_t* out) {
        for (std::size_t c = 0; c < 3; ++c) out[c] = in[i * stride + c * bytes];
      });
    }
  }
}

}  // namespace

std::unique_ptr<RowReader> make_png_reader() { return std::make_unique<PngReader>(); }

}  // namespace nearfar
