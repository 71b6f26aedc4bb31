#pragma once
/// What training augmentation does to an image: plain data. Torch-free.
#include <cstdint>

namespace nearfar {

/// ColorJitter's: brightness, contrast and saturation are multiplied by 1 - s … 1 + s (not below 0), the hue turned by
/// -s … s of the circle; in a random order. 0 = left alone. Images of one channel have neither saturation nor hue.
struct Jitter {
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
};

/// In the order in which they happen. Crop, jitter and grey are to the byte torchvision's transforms of Pillow images,
/// with our random numbers.
struct AugmentRecipe {
  int views = 1;           ///< of each image, with random numbers of their own
  std::int64_t shift = 0;  ///< rows and columns move by -shift … shift, black outside (RandomCrop with padding)
  double smallest_crop =
      1;              ///< RandomResizedCrop: share of the area at least, ratio 3/4 … 4/3; 1 = none; without shift
  bool flip = false;  ///< left-right with probability one half
  Jitter jitter = {};
  double jitter_share = 0;  ///< probability of the jitter
  double gray_share = 0;    ///< probability of grey
};

}  // namespace nearfar
