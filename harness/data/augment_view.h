#pragma once
/// Shift, flip, colour jitter and grey of whole uint8 RGB images: to the byte what kernels/augment_body.h does pixel by
/// pixel, faster by tables. Torch-free. Pure but for scratch memory.
#include "kernels/augment_body.h"

#include <cstdint>
#include <span>
#include <vector>

namespace nearfar {

/// Shift and flip of the draw. `image` and `out`: [job.height, job.width, 3], not the same memory.
void shift_and_flip(const AugmentJob& job, const augmentation::Draw& draw, const std::uint8_t* image,
                    std::uint8_t* out);

/// What comes after a crop or a shift, in place. One a thread.
class ViewFinisher {
 public:
  /// Mirrors rows of `width` pixels.
  void flip(std::span<std::uint8_t> pixels, std::int64_t width);
  /// The draw's jitter, then its grey, with the strengths of `job`.
  void color(const AugmentJob& job, const augmentation::Draw& draw, std::span<std::uint8_t> pixels);

 private:
  std::vector<std::uint8_t> row_;
};

}  // namespace nearfar
