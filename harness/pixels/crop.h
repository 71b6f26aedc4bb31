#pragma once
/// Rectangles of an image, each resized to one size: what training takes of an image file. To the byte what Pillow's
/// crop and bilinear resize give (torchvision's resized_crop), of which only the rows and columns that are needed are
/// decoded. Torch-free.
///
/// With `reduced` decoding a JPEG of which every side of a crop is at least twice (four, eight times) the result's is
/// decoded at 1/2 (1/4, 1/8) by libjpeg's inverse transform, and the rectangle, then with fractions, is resized from
/// that, as Pillow's draft() with resize(box=…) would. Other pixels, by a little, for a fraction of the time; which
/// divisor is taken depends on the rectangle and the result's size alone.
#include "pixels/decode.h"

#include <cstdint>
#include <memory>
#include <span>

namespace nearfar {

/// Within the image and not empty.
struct CropBox {
  std::int64_t left = 0, top = 0, width = 0, height = 0;
  bool operator==(const CropBox&) const = default;
};

/// A rectangle and where its pixels go: [height, width, 3], memory of the caller's.
struct Crop {
  CropBox box;
  std::uint8_t* out = nullptr;
};

/// A decoded image that is lent.
struct PixelView {
  std::span<const std::uint8_t> pixels;  ///< [height, width, 3]
  ImageSize size;
};

/// With its scratch memory: one a thread, not thread-safe. After an Error it can be used for the next image.
class CropReader {
 public:
  /// The crops' size: 1 to 16384 a side, else Error(config).
  CropReader(std::int64_t height, std::int64_t width);
  ~CropReader();
  CropReader(CropReader&&) noexcept;
  CropReader& operator=(CropReader&&) noexcept;

  /// Another size for the crops to come; as the constructor.
  void set_size(std::int64_t height, std::int64_t width);
  /// Reads the header; `file` outlives read(). Error(data) as ImagePipeline::run.
  ImageSize open(std::span<const std::uint8_t> file);
  /// The crops of the file that is open; a file is decoded once for all crops of one divisor. Error(data) as
  /// ImagePipeline::run; the crops are then undefined. True if the file is cut off or has errors, wherever in it.
  bool read(std::span<const Crop> crops, bool reduced);
  /// Of an image in memory.
  void read(const PixelView& image, std::span<const Crop> crops);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nearfar
