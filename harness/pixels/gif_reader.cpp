/// GIF through giflib: the first frame on its screen, transparency dropped, as Pillow's convert("RGB") has it. Where the frame leaves the
/// screen uncovered, or the data end, is the transparent colour if there is one, else colour 0.
#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "pixels/row_reader.h"

namespace nearfar {
namespace {

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorKind::data, "GIF: " + what); }

struct Source {
  std::span<const std::uint8_t> rest;
};

int read_bytes(GifFileType* gif, GifByteType* out, int count) {
  auto& source = *static_cast<Source*>(gif->UserData);
  const std::size_t given = std::min(source.rest.size(), static_cast<std::size_t>(count));
  std::memcpy(out, source.rest.data(), given);
  source.rest = source.rest.subspan(given);
  return static_cast<int>(given);
}

/// giflib's handle, closed whatever happens.
class Gif {
 public:
  explicit Gif(Source& source) {
    int code = 0;
    gif_ = DGifOpen(&source, read_bytes, &code);
    if (gif_ == nullptr) {
      const char* why = GifErrorString(code);
      fail(fmt::format("damaged header ({})", why == nullptr ? "unknown" : why));
    }
  }
  ~Gif() { DGifCloseFile(gif_, nullptr); }
  Gif(const Gif&) = delete;
  Gif& operator=(const Gif&) = delete;
  GifFileType* operator->() const { return gif_; }
  GifFileType* get() const { return gif_; }

 private:
  GifFileType* gif_ = nullptr;
};

/// Runs past the extensions to the first frame; the transparent colour, or -1.
int find_frame(Gif& gif) {
  int transparent = NO_TRANSPARENT_COLOR;
  while (true) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif.get(), &record) == GIF_ERROR || record == TERMINATE_RECORD_TYPE) fail("holds no frame");
    if (record == IMAGE_DESC_RECORD_TYPE) {
      if (DGifGetImageDesc(gif.get()) == GIF_ERROR) fail("the header of the first frame is damaged");
      return transparent;
    }
    int code = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(gif.get(), &code, &block) == GIF_ERROR) fail("an extension is damaged");
    while (block != nullptr) {
      GraphicsControlBlock control;
      if (code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
        transparent = control.TransparentColor;
      if (DGifGetExtensionNext(gif.get(), &block) == GIF_ERROR) fail("an extension is damaged");
    }
  }
}

/// Rows of an interlaced frame in the order of the file: every 8th, then those between.
std::vector<int> row_order(int height, bool interlaced) {
  std::vector<int> rows;
  if (!interlaced) {
    for (int y = 0; y < height; ++y) rows.push_back(y);
    return rows;
  }
  constexpr std::array<std::array<int, 2>, 4> kPasses{{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  for (const auto& [first, step] : kPasses) {
    for (int y = first; y < height; y += step) rows.push_back(y);
  }
  return rows;
}

class GifReader final : public RowReader {
 public:
  ImageSize open(std::span<const std::uint8_t> file) override {
    file_ = file;
    if (file.size() < 13) fail("the header is cut off");
    size_ = {file[6] | file[7] << 8, file[8] | file[9] << 8};
    check_size(size_.width, size_.height);
    return size_;
  }

  void start(const Window& window) override {
    Source source{file_};
    Gif gif(source);
    const int transparent = find_frame(gif);
    const GifImageDesc& frame = gif->Image;
    check_size(frame.Width, frame.Height);
    // A frame may reach beyond the screen: Pillow then makes the image as large as both. Not seen in data sets, so refused.
    if (frame.Left < 0 || frame.Top < 0 || frame.Left + frame.Width > size_.width || frame.Top + frame.Height > size_.height)
      fail(fmt::format("the first frame reaches beyond the screen of {} x {}", size_.width, size_.height));
    read_colours(frame.ColorMap != nullptr ? frame.ColorMap : gif->SColorMap);
    const auto stride = static_cast<std::size_t>(size_.width);
    indices_.assign(stride * static_cast<std::size_t>(size_.height), static_cast<std::uint8_t>(std::max(transparent, 0)));
    bool there = true;
    for (const int y : row_order(frame.Height, frame.Interlace)) {
      std::uint8_t* out = indices_.data() + static_cast<std::size_t>(frame.Top + y) * stride + static_cast<std::size_t>(frame.Left);
      // Pixel by pixel: of a row that the data end in, Pillow keeps the beginning.
      for (int x = 0; there && x < frame.Width; ++x) {
        GifPixelType pixel = 0;
        there = DGifGetLine(gif.get(), &pixel, 1) == GIF_OK;
        if (there) *out++ = pixel;
      }
      if (!there) break;  // the rest stays as it is
    }
    window_ = window;
    y_ = window.top;
    row_.assign(static_cast<std::size_t>(window.right - window.left) * 3 + kRowSlack, 0);
  }

  const std::uint8_t* next_row() override {
    const std::uint8_t* in = indices_.data() + static_cast<std::size_t>(y_++) * static_cast<std::size_t>(size_.width);
    std::uint8_t* out = row_.data();
    for (std::int64_t x = window_.left; x < window_.right; ++x, out += 3) std::memcpy(out, colours_[in[x]].data(), 3);
    return row_.data();
  }

 private:
  void read_colours(const ColorMapObject* map) {
    for (std::size_t i = 0; i < colours_.size(); ++i) {
      const auto gray = static_cast<std::uint8_t>(i);
      colours_[i] = map == nullptr ? std::array<std::uint8_t, 3>{gray, gray, gray} : std::array<std::uint8_t, 3>{};
      if (map != nullptr && static_cast<int>(i) < map->ColorCount)
        colours_[i] = {map->Colors[i].Red, map->Colors[i].Green, map->Colors[i].Blue};
    }
  }

  std::span<const std::uint8_t> file_;
  ImageSize size_;
  Window window_;
  std::int64_t y_ = 0;
  std::array<std::array<std::uint8_t, 3>, 256> colours_{};
  std::vector<std::uint8_t> indices_, row_;
};

}  // namespace

std::unique_ptr<RowReader> make_gif_reader() { return std::make_unique<GifReader>(); }

}  // namespace nearfar
