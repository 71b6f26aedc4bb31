#pragma once
/// The evaluation pipeline of an image file: decode → RGB → bilinear resize → centre crop, to the byte what Pillow 13
/// and torchvision give. Only the rows and columns that the crop needs are decoded and resized. Normalisation is the
/// model side's work (models/images.h). Torch-free.
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace nearfar {

/// How a decoded image becomes `height` x `width` pixels.
struct Preprocess {
  enum class Resize {
    none,          ///< the image must already have height x width; anything else is an error
    shorter_side,  ///< the shorter side becomes `side`, the longer int(side * long / short); then the centre is cut out
    exact,         ///< to resize_height x resize_width whatever the proportions; then the centre is cut out
  };
  Resize resize = Resize::shorter_side;
  std::int64_t side = 0;
  std::int64_t resize_height = 0, resize_width = 0;
  std::int64_t height = 0, width = 0;  ///< of the result

  bool operator==(const Preprocess&) const = default;
};

/// Names the pixels: two equal texts give equal bytes for any file. "rgb-1/short256/crop224x224",
/// "rgb-1/stored224x224", …; the number after rgb- is raised when decoding or resizing changes.
std::string preprocess_id(const Preprocess& preprocess);

/// One pipeline with its scratch memory: one a thread, not thread-safe. Once it has seen images as large as those to
/// come, it takes nothing from the heap itself (libjpeg and libwebp do, for their own tables). After an Error it can be
/// used for the next file.
class ImagePipeline {
 public:
  explicit ImagePipeline(const Preprocess& preprocess);
  ~ImagePipeline();
  ImagePipeline(ImagePipeline&&) noexcept;
  ImagePipeline& operator=(ImagePipeline&&) noexcept;

  /// `file`: the bytes of an image file, told by content. `out`: height * width * 3 bytes, [H,W,3].
  /// Error(data) without a file name (the caller has it): format unknown or not built in, damaged beyond what Pillow
  /// with LOAD_TRUNCATED_IMAGES accepts, more pixels than Pillow's limit, wrong size for Resize::none. `out` is then
  /// undefined.
  /// True if the file is cut off or has errors, so that some of its pixels are made up as Pillow does.
  bool run(std::span<const std::uint8_t> file, std::span<std::uint8_t> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nearfar
