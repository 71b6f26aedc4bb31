#include "pixels/crop.h"

#include "base/error.h"
#include "pixels/row_reader.h"
#include "pixels/row_resizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace nearfar {
namespace {

/// What one crop needs of a (reduced) image, and how it is resized.
struct Lane {
  ResizeAxes axes;          // of whole pixels: the sizes of small images come again and again
  ResizeAxis across, down;  // of fractions
  Window window;
  RowResizer resizer;
  int divisor = 1;

  void begin(const CropBox& box, int reduced, std::int64_t width, std::int64_t height, std::uint8_t* out) {
    divisor = reduced;
    const ResizeAxis& horizontal = axis(box.left, box.width, width, across);
    const ResizeAxis& vertical = axis(box.top, box.height, height, down);
    window = {box.left / divisor + horizontal.begin, box.left / divisor + horizontal.end,
              box.top / divisor + vertical.begin, box.top / divisor + vertical.end};
    const bool vertical_first = !horizontal.copy && !vertical.copy &&
                                resizes_vertically_first(box.width / divisor, box.height / divisor, width, height);
    resizer.begin(horizontal, vertical, vertical_first, out, static_cast<std::size_t>(width) * 3);
  }

 private:
  /// From the pixel on in which the side begins.
  const ResizeAxis& axis(std::int64_t first, std::int64_t size, std::int64_t out, ResizeAxis& made) {
    if (divisor == 1) return axes.get(size, out, 0, out);
    const std::int64_t pixel = first / divisor, end = (first + size + divisor - 1) / divisor;
    const double begin = static_cast<double>(first % divisor) / divisor;
    make_resize_axis({.in = static_cast<double>(size) / divisor, .begin = begin, .pixels = end - pixel}, out, 0, out,
                     made);
    return made;
  }
};

Window united(const Window& a, const Window& b) {
  return {std::min(a.left, b.left), std::max(a.right, b.right), std::min(a.top, b.top), std::max(a.bottom, b.bottom)};
}

}  // namespace

struct CropReader::State {
  State(std::int64_t h, std::int64_t w) : height(h), width(w) {}

  int divisor_of(const CropBox& box, int most) const {
    int divisor = most;
    while (divisor > 1 && (box.width < divisor * width || box.height < divisor * height)) divisor /= 2;
    return divisor;
  }

  void begin(std::span<const Crop> crops, const ImageSize& image, int most) {
    lanes.resize(std::max(lanes.size(), crops.size()));
    for (std::size_t i = 0; i < crops.size(); ++i) {
      const CropBox& box = crops[i].box;
      NEARFAR_ASSERT(box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0 &&
                     box.left + box.width <= image.width && box.top + box.height <= image.height);
      lanes[i].begin(box, divisor_of(box, most), width, height, crops[i].out);
    }
  }

  /// The crops of one divisor.
  void run(RowReader& rows, const Window& window, std::size_t count, int divisor) {
    for (std::int64_t y = window.top; y < window.bottom; ++y) {
      const std::uint8_t* row = rows.next_row();
      for (std::size_t i = 0; i < count; ++i) {
        Lane& lane = lanes[i];
        if (lane.divisor == divisor && lane.window.top <= y && y < lane.window.bottom)
          lane.resizer.add(row + (lane.window.left - window.left) * 3);
      }
    }
  }

  std::int64_t height, width;
  AnyReader readers;
  std::span<const std::uint8_t> file;
  RowReader* reader = nullptr;
  ImageSize size;
  std::vector<Lane> lanes;
  std::vector<std::uint8_t> last_row;  // one that has no room behind it
};

CropReader::CropReader(std::int64_t height, std::int64_t width) : state_(std::make_unique<State>(height, width)) {
  set_size(height, width);
}
CropReader::~CropReader() = default;
CropReader::CropReader(CropReader&&) noexcept = default;
CropReader& CropReader::operator=(CropReader&&) noexcept = default;

void CropReader::set_size(std::int64_t height, std::int64_t width) {
  const auto good = [](std::int64_t pixels) { return pixels > 0 && pixels <= 16384; };
  if (!good(height) || !good(width))
    throw Error(ErrorKind::config, fmt::format("crops of {} x {} pixels: 1 to 16384 are possible", width, height));
  state_->height = height;
  state_->width = width;
}

ImageSize CropReader::open(std::span<const std::uint8_t> file) {
  State& s = *state_;
  s.reader = nullptr;
  RowReader& reader = s.readers.of(file);
  s.size = reader.open(file);
  s.file = file;
  s.reader = &reader;
  return s.size;
}

bool CropReader::read(std::span<const Crop> crops, bool reduced) {
  State& s = *state_;
  NEARFAR_ASSERT(s.reader != nullptr);
  s.begin(crops, s.size, reduced ? s.reader->most_reduced() : 1);
  bool damaged = false, opened = true;
  for (const int divisor : {1, 2, 4, 8}) {
    Window window;
    bool any = false;
    for (std::size_t i = 0; i < crops.size(); ++i) {
      if (s.lanes[i].divisor != divisor) continue;
      window = any ? united(window, s.lanes[i].window) : s.lanes[i].window;
      any = true;
    }
    if (!any) continue;
    if (!opened) s.reader->open(s.file);
    opened = false;
    s.reader->reduce(divisor);
    s.reader->start(window);
    s.run(*s.reader, window, crops.size(), divisor);
    damaged = s.reader->damaged() || damaged;
  }
  return damaged;
}

void CropReader::read(const PixelView& image, std::span<const Crop> crops) {
  State& s = *state_;
  const auto stride = static_cast<std::size_t>(image.size.width) * 3;
  NEARFAR_ASSERT(image.pixels.size() == stride * static_cast<std::size_t>(image.size.height));
  s.begin(crops, image.size, 1);
  for (std::size_t i = 0; i < crops.size(); ++i) {
    Lane& lane = s.lanes[i];
    const auto bytes = static_cast<std::size_t>(lane.window.right - lane.window.left) * 3;
    for (std::int64_t y = lane.window.top; y < lane.window.bottom; ++y) {
      const std::size_t at = static_cast<std::size_t>(y) * stride + static_cast<std::size_t>(lane.window.left) * 3;
      const std::uint8_t* row = image.pixels.data() + at;
      if (at + bytes + kRowSlack > image.pixels.size()) {
        s.last_row.resize(std::max(s.last_row.size(), bytes + kRowSlack));
        std::memcpy(s.last_row.data(), row, bytes);
        row = s.last_row.data();
      }
      lane.resizer.add(row);
    }
  }
}

}  // namespace nearfar
