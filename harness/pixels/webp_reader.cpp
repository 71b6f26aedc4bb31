/// WebP through libwebp, the whole image at once: its rows depend on each other. Alpha is dropped.
#include "base/error.h"
#include "pixels/row_reader.h"

#include <algorithm>
#include <vector>

#ifdef NEARFAR_WEBP
#include <webp/decode.h>
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

class WebpReader final : public RowReader {
 public:
  ImageSize open(std::span<const std::uint8_t> file) override {
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(file.data(), file.size(), &features) != VP8_STATUS_OK)
      throw Error(ErrorKind::data, "WebP: damaged header");
    if (features.has_animation != 0) throw Error(ErrorKind::data, "WebP: animated; only still images are read");
    check_size(features.width, features.height);
    file_ = file;
    size_ = {features.width, features.height};
    return size_;
  }

  void start(const Window& window) override {
    const auto stride = static_cast<std::size_t>(size_.width) * 3;
    const auto bytes = stride * static_cast<std::size_t>(size_.height);
    rgb_.resize(std::max(rgb_.size(), bytes + kRowSlack));
    if (WebPDecodeRGBInto(file_.data(), file_.size(), rgb_.data(), bytes, static_cast<int>(stride)) == nullptr) {
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

 private:
  std::span<const std::uint8_t> file_;
  ImageSize size_;
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
