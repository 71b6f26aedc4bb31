#include "pixels/preprocess.h"

#include "base/error.h"
#include "pixels/resize.h"
#include "pixels/row_reader.h"
#include "pixels/row_resizer.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

constexpr int kVersion = 1;  // of the pixels: raise it when any file gives other bytes

/// One direction of the geometry: `in` → `resized` pixels, of which [crop, crop + count) are written from `pad` on.
struct Span {
  std::int64_t in = 0, resized = 0, crop = 0, count = 0, pad = 0;
};

/// torchvision's centre crop: zero padding to at least `wanted`, then the offset rounded half to even.
Span centred(std::int64_t in, std::int64_t resized, std::int64_t wanted) {
  if (resized <= wanted) return {in, resized, 0, resized, (wanted - resized) / 2};
  const std::int64_t twice = resized - wanted;
  const std::int64_t half = twice / 2;
  return {in, resized, twice % 2 == 0 ? half : half + half % 2, wanted, 0};
}

/// torchvision's size of the longer side: int(side * long / short), the division in double.
std::int64_t longer_side(std::int64_t side, std::int64_t length, std::int64_t shorter) {
  return static_cast<std::int64_t>(static_cast<double>(side * length) / static_cast<double>(shorter));
}

void check(const Preprocess& p) {
  const auto good = [](std::int64_t pixels) { return pixels > 0 && pixels <= 16384; };
  if (!good(p.width) || !good(p.height)) {
    throw Error(ErrorKind::config,
                fmt::format("preprocessing to {} x {} pixels: 1 to 16384 a side are possible", p.width, p.height));
  }
  if (p.resize == Preprocess::Resize::shorter_side && !good(p.side)) {
    throw Error(ErrorKind::config,
                fmt::format("resizing the shorter side to {} pixels: 1 to 16384 are possible", p.side));
  }
  if (p.resize == Preprocess::Resize::exact && (!good(p.resize_width) || !good(p.resize_height))) {
    throw Error(ErrorKind::config, fmt::format("resizing to {} x {} pixels: 1 to 16384 a side are possible",
                                               p.resize_width, p.resize_height));
  }
}

}  // namespace

std::string preprocess_id(const Preprocess& p) {
  check(p);
  switch (p.resize) {
    case Preprocess::Resize::none:
      return fmt::format("rgb-{}/stored{}x{}", kVersion, p.height, p.width);
    case Preprocess::Resize::shorter_side:
      return fmt::format("rgb-{}/short{}/crop{}x{}", kVersion, p.side, p.height, p.width);
    case Preprocess::Resize::exact:
      break;
  }
  return fmt::format("rgb-{}/exact{}x{}/crop{}x{}", kVersion, p.resize_height, p.resize_width, p.height, p.width);
}

struct ImagePipeline::State {
  explicit State(const Preprocess& p) : preprocess(p) {}

  ImageSize resized(ImageSize in) const;
  bool run(std::span<const std::uint8_t> file, std::span<std::uint8_t> out);

  Preprocess preprocess;
  AnyReader readers;
  ResizeAxes axes;
  RowResizer resizer;
};

ImageSize ImagePipeline::State::resized(ImageSize in) const {
  const Preprocess& p = preprocess;
  switch (p.resize) {
    case Preprocess::Resize::none:
      if (in.width != p.width || in.height != p.height) {
        throw Error(ErrorKind::data, fmt::format("the image is {} x {} pixels; {} x {} are wanted, and resizing is off",
                                                 in.width, in.height, p.width, p.height));
      }
      return in;
    case Preprocess::Resize::exact:
      return {p.resize_width, p.resize_height};
    case Preprocess::Resize::shorter_side:
      break;
  }
  if (in.width <= in.height) return {p.side, longer_side(p.side, in.height, in.width)};
  return {longer_side(p.side, in.width, in.height), p.side};
}

bool ImagePipeline::State::run(std::span<const std::uint8_t> file, std::span<std::uint8_t> out) {
  NEARFAR_ASSERT(out.size() == static_cast<std::size_t>(preprocess.width * preprocess.height * 3));
  RowReader& reader = readers.of(file);
  const ImageSize in = reader.open(file);
  const ImageSize to = resized(in);
  const Span across = centred(in.width, to.width, preprocess.width),
             down = centred(in.height, to.height, preprocess.height);
  const ResizeAxis& horizontal = axes.get(across.in, across.resized, across.crop, across.count);
  const ResizeAxis& vertical = axes.get(down.in, down.resized, down.crop, down.count);

  const bool vertical_first =
      !horizontal.copy && !vertical.copy && resizes_vertically_first(in.width, in.height, to.width, to.height);
  if (across.count < preprocess.width || down.count < preprocess.height)
    std::fill(out.begin(), out.end(), std::uint8_t{0});

  const auto out_stride = static_cast<std::size_t>(preprocess.width) * 3;
  resizer.begin(horizontal, vertical, vertical_first,
                out.data() + static_cast<std::size_t>(down.pad) * out_stride + static_cast<std::size_t>(across.pad) * 3,
                out_stride);
  reader.start({horizontal.begin, horizontal.end, vertical.begin, vertical.end});
  for (std::int64_t y = vertical.begin; y < vertical.end; ++y) resizer.add(reader.next_row());
  return reader.damaged();
}

ImagePipeline::ImagePipeline(const Preprocess& preprocess) {
  check(preprocess);
  state_ = std::make_unique<State>(preprocess);
}
ImagePipeline::~ImagePipeline() = default;
ImagePipeline::ImagePipeline(ImagePipeline&&) noexcept = default;
ImagePipeline& ImagePipeline::operator=(ImagePipeline&&) noexcept = default;

bool ImagePipeline::run(std::span<const std::uint8_t> file, std::span<std::uint8_t> out) {
  return state_->run(file, out);
}

}  // namespace nearfar
