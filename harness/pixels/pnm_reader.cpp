/// PBM, PGM and PPM, in text (P1 to P3) and binary (P4 to P6), as Pillow's PpmImagePlugin reads them: the largest value
/// scales to 255, gray of more than 255 to 65535, and is then clipped at 255; a comment may stand within a number.
/// Binary files whose values need no scaling may be cut off: rows that are not whole are 0, as Pillow leaves them.
/// Others must be whole. Format: netpbm's pbm(5), pgm(5), ppm(5).
#include "base/error.h"
#include "pixels/row_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kLongestNumber = 10;

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorKind::data, "PNM: " + what); }

bool is_blank(std::uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

/// Numbers between blanks; a comment from '#' to the end of the line is not there, even within a number.
class Words {
 public:
  Words(Bytes file, std::size_t at) : file_(file), at_(at) {}

  std::size_t at() const { return at_; }

  /// The next byte that is of no comment; false at the end.
  bool next(std::uint8_t& byte) {
    while (at_ < file_.size()) {
      byte = file_[at_++];
      if (byte != '#') return true;
      while (at_ < file_.size() && file_[at_] != '\r' && file_[at_] != '\n') ++at_;
      at_ = std::min(at_ + 1, file_.size());
    }
    return false;
  }

  /// Up to and with the blank behind the number. `what` for messages.
  std::int64_t number(std::string_view what) {
    std::string text;
    for (std::uint8_t byte = 0; next(byte);) {
      if (!is_blank(byte)) {
        text += static_cast<char>(byte);
        if (text.size() > kLongestNumber) fail(fmt::format("{} of more than {} digits", what, kLongestNumber));
      } else if (!text.empty()) {
        break;
      }
    }
    if (text.empty()) fail(fmt::format("ends before {}", what));
    std::int64_t value = 0;
    const std::size_t sign = text.starts_with('+') ? 1 : 0;
    const auto [end, error] = std::from_chars(text.data() + sign, text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) fail(fmt::format("{} is no number", what));
    return value;
  }

 private:
  Bytes file_;
  std::size_t at_;
};

struct Header {
  int kind = 0;  ///< of P1 to P6
  ImageSize size = {};
  std::int64_t most = 1;  ///< largest value
  std::size_t data = 0;   ///< where the pixels begin
  bool text() const { return kind <= 3; }
  bool bits() const { return kind == 1 || kind == 4; }
  std::size_t channels() const { return kind == 3 || kind == 6 ? 3 : 1; }
  std::size_t samples() const {
    return static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height) * channels();
  }
};

Header read_header(Bytes file) {
  Header header{.kind = file[1] - '0'};
  Words words(file, 3);
  header.size.width = words.number("the width");
  header.size.height = words.number("the height");
  if (!header.bits()) {
    header.most = words.number("the largest value");
    if (header.most <= 0 || header.most > 65535)
      fail(fmt::format("the largest value is {}, 1 to 65535 expected", header.most));
  }
  header.data = words.at();
  check_size(header.size.width, header.size.height);
  return header;
}

class PnmReader final : public RowReader {
 public:
  ImageSize open(Bytes file) override {
    file_ = file;
    header_ = read_header(file);
    raw_ =
        header_.kind == 4 || (!header_.text() && (header_.most == 255 || (header_.most == 65535 && header_.kind == 5)));
    const auto width = static_cast<std::size_t>(header_.size.width);
    stride_ = header_.bits() ? (width + 7) / 8 : width * header_.channels() * (header_.most > 255 ? 2 : 1);
    return header_.size;
  }

  void start(const Window& window) override {
    window_ = window;
    y_ = window.top;
    row_.assign(static_cast<std::size_t>(window.right - window.left) * 3 + kRowSlack, 0);
    if (raw_) return;
    // No memory for pixels that the file cannot have: in text one has at least a byte.
    const std::size_t least =
        header_.text() ? header_.samples() : stride_ * static_cast<std::size_t>(header_.size.height);
    if (file_.size() - header_.data < least) fail_short();
    samples_.clear();
    samples_.reserve(header_.samples());
    if (header_.kind == 1) return read_text_bits();
    if (header_.text()) return read_text();
    for (std::size_t i = 0; i < header_.samples(); ++i) samples_.push_back(scaled(stored(header_.data, i)));
  }

  const std::uint8_t* next_row() override {
    const auto y = static_cast<std::size_t>(y_++), width = static_cast<std::size_t>(header_.size.width);
    std::uint8_t* out = row_.data();
    const auto each = [&](auto sample) {
      for (auto x = static_cast<std::size_t>(window_.left); x < static_cast<std::size_t>(window_.right); ++x) {
        for (std::size_t c = 0; c < 3; ++c) *out++ = sample(x * header_.channels() + (header_.channels() == 3 ? c : 0));
      }
    };
    if (!raw_) {
      each([&](std::size_t i) { return samples_[y * width * header_.channels() + i]; });
      return row_.data();
    }
    const std::size_t at = header_.data + y * stride_;
    if (at > file_.size() || file_.size() - at < stride_) {
      std::fill(row_.begin(), row_.end(), std::uint8_t{0});
    } else if (header_.kind == 4) {  // 1 is black
      each([&](std::size_t i) { return static_cast<std::uint8_t>((file_[at + i / 8] >> (7 - i % 8) & 1) - 1); });
    } else {
      each([&](std::size_t i) { return static_cast<std::uint8_t>(std::min(stored(at, i), 255)); });
    }
    return row_.data();
  }

  bool damaged() const override {
    return raw_ && file_.size() - header_.data < stride_ * static_cast<std::size_t>(header_.size.height);
  }

 private:
  [[noreturn]] void fail_short() const {
    fail(fmt::format("the pixels of {} x {} are cut off", header_.size.width, header_.size.height));
  }

  /// Sample i of those that begin at `at`: big-endian where two bytes are needed.
  int stored(std::size_t at, std::size_t i) const {
    return header_.most > 255 ? file_[at + 2 * i] << 8 | file_[at + 2 * i + 1] : file_[at + i];
  }

  /// Rounded half to even, in double, as Python does.
  std::uint8_t scaled(std::int64_t value) const {
    const double to = header_.most > 255 && header_.channels() == 1 ? 65535 : 255;
    const double exact = std::nearbyint(static_cast<double>(value) / static_cast<double>(header_.most) * to);
    return static_cast<std::uint8_t>(std::min(exact, 255.0));
  }

  /// One digit a pixel, with blanks or without. Pillow looks at a block of 1 MiB before it counts.
  void read_text_bits() {
    constexpr std::size_t kBlock = std::size_t{1} << 20;
    const std::size_t all = header_.samples();
    std::size_t looked_at = header_.data + kBlock;
    Words words(file_, header_.data);
    for (std::uint8_t byte = 0; words.next(byte);) {
      if (samples_.size() == all && words.at() > looked_at) break;
      while (looked_at < words.at()) looked_at += kBlock;
      if (is_blank(byte)) continue;
      if (byte != '0' && byte != '1') fail("a pixel is neither 0 nor 1");
      if (samples_.size() < all) samples_.push_back(byte == '1' ? 0 : 255);
    }
    if (samples_.size() < all) fail_short();
  }

  void read_text() {
    Words words(file_, header_.data);
    while (samples_.size() < header_.samples()) {
      const std::int64_t value = words.number("a value");
      if (value < 0 || value > header_.most)
        fail(fmt::format("the value {} is outside of 0 to {}", value, header_.most));
      samples_.push_back(scaled(value));
    }
  }

  Bytes file_;
  Header header_;
  Window window_;
  std::int64_t y_ = 0;
  std::size_t stride_ = 0;  ///< bytes of a binary row
  bool raw_ = false;        ///< rows are taken as they lie in the file
  std::vector<std::uint8_t> samples_, row_;
};

}  // namespace

std::unique_ptr<RowReader> make_pnm_reader() { return std::make_unique<PnmReader>(); }

}  // namespace nearfar
