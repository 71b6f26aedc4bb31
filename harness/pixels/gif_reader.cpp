/// GIF: the first frame on its screen, transparency dropped, as Pillow's convert("RGB") has it. Where the frame leaves
/// the screen uncovered, or the data end, is the transparent colour if there is one, else colour 0. The blocks before
/// the pixels are read as Pillow's GifImagePlugin reads damaged ones; giflib decodes the pixels. Format: CompuServe
/// GIF89a.
#include "base/error.h"
#include "pixels/row_reader.h"

#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace nearfar {
namespace {

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorKind::data, "GIF: " + what); }

using Bytes = std::span<const std::uint8_t>;
using Colours = std::array<std::array<std::uint8_t, 3>, 256>;

struct Frame {
  ImageSize screen;  ///< grown to hold the frame
  int left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  int transparent = -1;
  Colours colours{};
  std::uint8_t code_size = 0;
  Bytes data;  ///< the sub-blocks of its pixels, and what follows
};

/// The file up to the pixels of its first frame.
class Blocks {
 public:
  explicit Blocks(Bytes file) : rest_(file) {}

  Frame first_frame() {
    const Bytes screen = take(13);
    Frame frame;
    frame.screen = {number(screen, 6), number(screen, 8)};
    for (std::size_t i = 0; i < frame.colours.size(); ++i) frame.colours[i].fill(static_cast<std::uint8_t>(i));
    read_colours(screen[10], frame.colours);
    while (!rest_.empty()) {
      const std::uint8_t kind = take(1)[0];
      if (kind == ';') break;
      if (kind == '!') read_extension(frame);
      if (kind != ',') continue;  // bytes between blocks are skipped
      const Bytes image = take(9);
      frame.left = number(image, 0);
      frame.top = number(image, 2);
      frame.width = number(image, 4);
      frame.height = number(image, 6);
      frame.interlaced = (image[8] & 64U) != 0;
      read_colours(image[8], frame.colours);
      frame.code_size = take(1)[0];
      frame.data = rest_;
      frame.screen = {std::max<std::int64_t>(frame.screen.width, frame.left + frame.width),
                      std::max<std::int64_t>(frame.screen.height, frame.top + frame.height)};
      return frame;
    }
    fail("holds no frame");
  }

 private:
  static int number(Bytes bytes, std::size_t at) { return bytes[at] | bytes[at + 1] << 8; }

  Bytes take(std::size_t count) {
    if (rest_.size() < count) fail("cut off before the pixels of the first frame");
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  /// The next sub-block; empty at the end of the sequence or the file.
  Bytes sub_block() {
    if (rest_.empty()) return {};
    return take(std::min<std::size_t>(take(1)[0], rest_.size()));
  }

  void read_extension(Frame& frame) {
    const std::uint8_t kind = take(1)[0];
    Bytes block = sub_block();
    if (kind == COMMENT_EXT_FUNC_CODE) {
      while (!block.empty()) block = sub_block();
      return;
    }
    if (kind == GRAPHICS_EXT_FUNC_CODE && !block.empty()) {
      if (block.size() < 3 || ((block[0] & 1U) != 0 && block.size() < 4))
        fail("a graphics control extension is too short");
      if ((block[0] & 1U) != 0) frame.transparent = block[3];
    }
    constexpr std::string_view kLoops = "NETSCAPE2.0";
    if (kind == APPLICATION_EXT_FUNC_CODE && block.size() >= kLoops.size() &&
        std::equal(kLoops.begin(), kLoops.end(), block.begin()))
      sub_block();
    while (!sub_block().empty()) {
    }
  }

  /// A colour table if the flags say so. One that only numbers its grays is no news: the table before stays.
  void read_colours(std::uint8_t flags, Colours& colours) {
    if ((flags & 128U) == 0) return;
    const std::size_t count = std::size_t{2} << (flags & 7U);
    const Bytes table = take(3 * count);
    Colours read{};
    bool numbers = true;
    for (std::size_t i = 0; i < count; ++i) {
      std::copy_n(table.data() + 3 * i, 3, read[i].data());
      numbers = numbers && std::all_of(read[i].begin(), read[i].end(), [i](std::uint8_t value) { return value == i; });
    }
    if (!numbers) colours = read;
  }

  Bytes rest_;
};

/// What giflib reads: a header of our own and the frame's sub-blocks. The frame it declares is larger than any, since
/// giflib takes data that end with the last pixel for damaged.
class Source {
 public:
  explicit Source(const Frame& frame) : rest_(frame.data) { header_.back() = frame.code_size; }

  static int read(GifFileType* gif, GifByteType* out, int count) {
    return static_cast<Source*>(gif->UserData)->read(out, static_cast<std::size_t>(count));
  }

 private:
  int read(GifByteType* out, std::size_t count) {
    Bytes& from = header_left_.empty() ? rest_ : header_left_;
    if (header_left_.empty() && pending_ == 0) {  // the length of a sub-block is asked for
      while (!rest_.empty() && rest_[0] == 0)
        rest_ = rest_.subspan(1);  // Pillow's decoder reads on behind the end of the sequence
      if (!rest_.empty()) pending_ = rest_[0];
    } else if (header_left_.empty()) {
      pending_ = 0;
    }
    const std::size_t given = std::min(from.size(), count);
    std::copy_n(from.data(), given, out);
    from = from.subspan(given);
    return static_cast<int>(given);
  }

  std::array<std::uint8_t, 24> header_{'G', 'I', 'F', '8', '9', 'a',  1,    0,    1,    0, 0, 0, 0,  // screen
                                       ',', 0,   0,   0,   0,   0xFF, 0xFF, 0xFF, 0xFF, 0, 0};  // frame and code size
  Bytes header_left_{header_};
  Bytes rest_;
  std::size_t pending_ = 0;
};

/// giflib's handle on the pixels of a frame, closed whatever happens.
class Pixels {
 public:
  explicit Pixels(const Frame& frame) : source_(frame), gif_(DGifOpen(&source_, Source::read, nullptr)) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    good_ = gif_ != nullptr && DGifGetRecordType(gif_, &record) == GIF_OK && DGifGetImageDesc(gif_) == GIF_OK;
  }
  ~Pixels() {
    if (gif_ != nullptr) DGifCloseFile(gif_, nullptr);
  }
  Pixels(const Pixels&) = delete;
  Pixels& operator=(const Pixels&) = delete;

  /// The next pixels in the order of the file; false, and perhaps some of them, where the data end or are damaged.
  bool row(std::uint8_t* out, int count) {
    good_ = good_ && DGifGetLine(gif_, out, count) == GIF_OK;
    return good_;
  }

 private:
  Source source_;
  GifFileType* gif_;
  bool good_ = false;
};

class GifReader final : public RowReader {
 public:
  ImageSize open(Bytes file) override {
    frame_ = Blocks(file).first_frame();
    check_size(frame_.screen.width, frame_.screen.height);
    if (frame_.width == 0 || frame_.height == 0)
      fail(fmt::format("the first frame has {} x {} pixels", frame_.width, frame_.height));
    return frame_.screen;
  }

  void start(const Window& window) override {
    window_ = window;
    y_ = window.top;
    row_.assign(static_cast<std::size_t>(window.right - window.left) * 3 + kRowSlack, 0);
    const auto all = static_cast<std::size_t>(frame_.screen.width * frame_.screen.height);
    indices_.assign(all, static_cast<std::uint8_t>(std::max(frame_.transparent, 0)));
    Pixels pixels(frame_);
    damaged_ = false;
    if (!frame_.interlaced) {
      read_rows(pixels, 0, 1);
      return;
    }
    constexpr std::array<std::array<int, 2>, 4> kPasses{{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
    for (const auto& [first, step] : kPasses) read_rows(pixels, first, step);
  }

  const std::uint8_t* next_row() override {
    const std::uint8_t* in = indices_.data() + y_++ * frame_.screen.width;
    std::uint8_t* out = row_.data();
    for (std::int64_t x = window_.left; x < window_.right; ++x, out += 3)
      std::memcpy(out, frame_.colours[in[x]].data(), 3);
    return row_.data();
  }

  bool damaged() const override { return damaged_; }

 private:
  void read_rows(Pixels& pixels, int first, int step) {
    for (int y = first; y < frame_.height && !damaged_; y += step)
      damaged_ = !pixels.row(indices_.data() + (frame_.top + y) * frame_.screen.width + frame_.left, frame_.width);
  }

  Frame frame_;
  Window window_;
  std::int64_t y_ = 0;
  bool damaged_ = false;
  std::vector<std::uint8_t> indices_, row_;
};

}  // namespace

std::unique_ptr<RowReader> make_gif_reader() { return std::make_unique<GifReader>(); }

}  // namespace nearfar
