/// WebP through libwebp, the whole image at once: its rows depend on each other. Alpha is dropped. Of an animation the
/// first frame on its canvas, as Pillow's decoder composes it.
#include "base/error.h"
#include "pixels/row_reader.h"

#include <algorithm>
#include <memory>
#include <vector>

#ifdef NEARFAR_WEBP
#include <webp/decode.h>
#include <webp/demux.h>
#endif

namespace nearfar {

bool webp_supported() {
#ifdef NEARFAR_WEBP
  return true;
#else
  return false;
#endif
}

#ifdef NEARFAR_WEBP
namespace {

/// Where the bitstream of the first frame lies, and where on the canvas its pixels belong.
struct Frame {
  std::span<const std::uint8_t> data;
  ImageSize canvas;
  std::int64_t left = 0, top = 0;
};

Frame first_frame(std::span<const std::uint8_t> file) {
  const WebPData data{file.data(), file.size()};
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> demuxer(WebPDemux(&data), WebPDemuxDelete);
  if (!demuxer) throw Error(ErrorKind::data, "WebP: animated, and damaged or incomplete");
  Frame frame;
  frame.canvas = {WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                  WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT)};
  WebPIterator first;
  if (WebPDemuxGetFrame(demuxer.get(), 1, &first) == 0)
    throw Error(ErrorKind::data, "WebP: animated, and without a frame");
  frame.data = {first.fragment.bytes, first.fragment.size};  // in `file`
  frame.left = first.x_offset;
  frame.top = first.y_offset;
  const bool inside = first.width <= frame.canvas.width - frame.left && first.height <= frame.canvas.height - frame.top;
  WebPDemuxReleaseIterator(&first);
  if (!inside) throw Error(ErrorKind::data, "WebP: animated, and the first frame lies outside of the image");
  return frame;
}

class WebpReader final : public RowReader {
 public:
  ImageSize open(std::span<const std::uint8_t> file) override {
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(file.data(), file.size(), &features) != VP8_STATUS_OK)
      throw Error(ErrorKind::data, "WebP: damaged header");
    check_size(features.width, features.height);
    frame_ = features.has_animation != 0 ? first_frame(file)
                                         : Frame{.data = file, .canvas = {features.width, features.height}};
    return frame_.canvas;
  }

  void start(const Window& window) override {
    const auto stride = static_cast<std::size_t>(frame_.canvas.width) * 3;
    const auto bytes = stride * static_cast<std::size_t>(frame_.canvas.height);
    rgb_.resize(std::max(rgb_.size(), bytes + kRowSlack));
    // A frame smaller than the canvas lies on transparent black, whatever the file's background colour.
    std::fill_n(rgb_.begin(), bytes, std::uint8_t{0});
    const std::size_t first = static_cast<std::size_t>(frame_.top) * stride + static_cast<std::size_t>(frame_.left) * 3;
    if (WebPDecodeRGBInto(frame_.data.data(), frame_.data.size(), rgb_.data() + first, bytes - first,
                          static_cast<int>(stride)) == nullptr) {
      throw Error(ErrorKind::data, "WebP: the image data is damaged or incomplete");
    }
    row_ = rgb_.data() + static_cast<std::size_t>(window.top) * stride + static_cast<std::size_t>(window.left) * 3;
    stride_ = stride;
  }

  const std::uint8_t* next_row() override {
    const std::uint8_t* row = row_;
    row_ += stride_;
    return row;
  }

  bool damaged() const override { return false; }  // is refused

 private:
  Frame frame_;
  std::vector<std::uint8_t> rgb_;
  const std::uint8_t* row_ = nullptr;
  std::size_t stride_ = 0;
};

}  // namespace

std::unique_ptr<RowReader> make_webp_reader() { return std::make_unique<WebpReader>(); }
#else
std::unique_ptr<RowReader> make_webp_reader() {
  throw Error(
      ErrorKind::data,
      "a WebP image, and this build reads none: install libwebp-dev and configure again, or convert the image to PNG");
}
#endif

}  // namespace nearfar
