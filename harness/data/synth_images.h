#pragma once
/// The made images of `nearfar data synth`: patterns, and files of many modes. Integer and exactly rounded arithmetic
/// only, so the pixels are the same on every machine. Pure functions, safe from any thread. Torch-free.
#include <array>
#include <cstdint>
#include <vector>

namespace nearfar {

/// What an image shows.
struct SynthSubject {
  std::int64_t label = -1;   ///< class: grating and colours follow from it; -1 = none, the pattern is `look`'s
  std::uint64_t look = 0;    ///< of an image without class: names its data set, which decides pattern and palette
  bool shifted = false;      ///< covariate shift: weak contrast and strong noise
  std::uint64_t random = 0;  ///< phase, noise: different for every image
  std::int64_t width = 0, height = 0;
};

enum class SynthMode { rgb, gray, palette, gray_alpha, rgba, gray16, jpeg, jpeg_gray };

/// 256 colours and one of them for each pixel: so every mode can hold the image.
struct SynthImage {
  std::int64_t width = 0, height = 0;
  std::vector<std::uint8_t> levels;  // [height, width]
  std::array<std::array<std::uint8_t, 3>, 256> colours{};
};

SynthImage draw(const SynthSubject& subject);

/// The bytes of a PNG or JPEG file.
std::vector<std::uint8_t> encode(const SynthImage& image, SynthMode mode);

/// One well-mixed number of two (SplitMix64, Steele et al. 2014).
std::uint64_t mix(std::uint64_t a, std::uint64_t b);

}  // namespace nearfar
