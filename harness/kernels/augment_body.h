#pragma once
/// Training augmentation of uint8 images, one pixel of the result at a time: what the CPU's loop and the GPU's kernel
/// have in common. Every random number is a function of (seed, purpose, epoch, image, view), all steps are whole
/// numbers or single operations in a fixed order, and the one sum (the contrast's mean) is of whole numbers: both
/// processors give the same bits (host_device.h).
#include "base/random.h"
#include "kernels/color_body.h"
#include "kernels/resize_body.h"

#include <cmath>

namespace nearfar {

struct AugmentJob {
  const std::uint8_t* pixels = nullptr;   ///< [count, height, width, channels], all images of the set
  const std::int64_t* indices = nullptr;  ///< [rows]: which of them; each 0 <= i < count
  const float* table = nullptr;           ///< [channels, 256]: normalised value of each pixel value
  const std::int64_t* epoch = nullptr;    ///< [1]: read when it runs, so that one captured graph serves every epoch
  float* out = nullptr;  ///< [views * rows, height, width, channels]: channels-last memory of [N,C,H,W]
  std::int64_t count = 0, rows = 0;
  std::int32_t height = 0, width = 0, channels = 0, views = 1;
  std::uint64_t seed = 0;
  std::int32_t shift = 0;   ///< rows and columns move by -shift … shift, black outside
  bool flip = false;        ///< left-right, one image in two
  float smallest_crop = 1;  ///< share of the area, 1 = no resized crop
  float brightness = 0, contrast = 0, saturation = 0, hue = 0;  ///< of ColorJitter; 0 = left alone
  float jitter_share = 0, gray_share = 0;                       ///< probabilities
};

namespace augmentation {

/// What a random number is for; part of every result. 1 to 4 are train/random.h's RandomPurpose.
enum Purpose : std::uint64_t {
  kShiftRows = 2,
  kShiftColumns,
  kFlip,
  kArea,
  kRatio,
  kTop,
  kLeft,
  kJitter,
  kJitterOrder,
  kBrightness,
  kContrast,
  kSaturation,
  kHue,
  kGray
};
constexpr std::int32_t kCropTries = 10;

/// The steps of a jitter, in the order that a draw's `order` names them by.
enum Step : std::int32_t { kStepBrightness, kStepContrast, kStepSaturation, kStepHue, kSteps };

/// What was drawn for one view of one image.
struct Draw {
  std::int32_t rows, columns;  // shift
  bool flip, jitter, gray;
  std::int32_t top, left, height, width;  // crop
  std::int32_t order[kSteps];
  float brightness, contrast, saturation;
  std::int32_t turn;  // of the hue, in 255ths
};

/// One view of one image, as far as random numbers need it.
struct Counter {
  std::uint64_t seed, epoch, view, index;

  /// As nearfar::random_bits(seed, purpose, epoch, index, view).
  NEARFAR_BOTH std::uint64_t bits(std::uint64_t purpose) const {
    return splitmix64(splitmix64(splitmix64(splitmix64(splitmix64(seed) ^ purpose) ^ epoch) ^ view) ^ index);
  }
  /// 0 … bound - 1.
  NEARFAR_BOTH std::int32_t below(std::uint64_t purpose, std::int32_t bound) const {
    return static_cast<std::int32_t>(high_product(bits(purpose), static_cast<std::uint64_t>(bound)));
  }
  /// [0, 1), 24 bits: exact in float32.
  NEARFAR_BOTH float uniform(std::uint64_t purpose) const {
    return static_cast<float>(bits(purpose) >> 40U) * (1.0F / 16777216.0F);
  }
};

/// e^x for |x| < 0.15, to float's last place: the same operations on both processors, which their exp() are not.
NEARFAR_BOTH float small_exp(float x) {
  return 1 + x * (1 + x * (1.0F / 2) * (1 + x * (1.0F / 3) * (1 + x * (1.0F / 4) * (1 + x * (1.0F / 5)))));
}

/// A side of the crop where no try fitted: the whole side, or as much as a ratio of 4 : 3 leaves of it.
NEARFAR_BOTH std::int32_t widest(std::int32_t side, std::int32_t other) {
  return 3 * side > 4 * other ? (8 * other + 3) / 6 : side;
}

/// torchvision's RandomResizedCrop.get_params: area uniform, ratio 3/4 … 4/3 uniform in its logarithm, ten tries, else
/// the middle of the image.
NEARFAR_BOTH void draw_crop(const AugmentJob& job, const Counter& random, Draw& d) {
  constexpr float kHalfLogRatio = 0.14384104F;  // ln(4/3) / 2
  const float area = static_cast<float>(job.height) * static_cast<float>(job.width);
  for (std::uint64_t attempt = 0; attempt < kCropTries; ++attempt) {
    const std::uint64_t more = attempt << 8U;  // a purpose of its own for each try
    const float share = job.smallest_crop + (1 - job.smallest_crop) * random.uniform(kArea + more);
    const float side = sqrtf(area * share);
    const float lean = small_exp(kHalfLogRatio * (2 * random.uniform(kRatio + more) - 1));
    d.width = static_cast<std::int32_t>(side * lean + 0.5F);
    d.height = static_cast<std::int32_t>(side / lean + 0.5F);
    if (d.width < 1 || d.width > job.width || d.height < 1 || d.height > job.height) continue;
    d.top = random.below(kTop + more, job.height - d.height + 1);
    d.left = random.below(kLeft + more, job.width - d.width + 1);
    return;
  }
  d.width = widest(job.width, job.height);
  d.height = widest(job.height, job.width);
  d.top = (job.height - d.height) / 2;
  d.left = (job.width - d.width) / 2;
}

/// torchvision's ColorJitter.get_params: each factor uniform around 1, the steps in any of their 24 orders.
NEARFAR_BOTH void draw_jitter(const AugmentJob& job, const Counter& random, Draw& d) {
  const auto factor = [&](float most, std::uint64_t purpose) {
    const float low = most < 1 ? 1 - most : 0.0F;
    return low + (1 + most - low) * random.uniform(purpose);
  };
  d.brightness = factor(job.brightness, kBrightness);
  d.contrast = factor(job.contrast, kContrast);
  d.saturation = factor(job.saturation, kSaturation);
  d.turn = static_cast<std::int32_t>(job.hue * (2 * random.uniform(kHue) - 1) * 255);
  std::int32_t code = random.below(kJitterOrder, 24);
  for (std::int32_t i = 0; i < kSteps; ++i) d.order[i] = i;
  for (std::int32_t left = kSteps; left > 1; --left) {
    const std::int32_t other = code % left, kept = d.order[left - 1];
    code /= left;
    d.order[left - 1] = d.order[other];
    d.order[other] = kept;
  }
}

NEARFAR_BOTH Draw draw(const AugmentJob& job, const Counter& random) {
  Draw d{};
  d.rows = random.below(kShiftRows, 2 * job.shift + 1) - job.shift;
  d.columns = random.below(kShiftColumns, 2 * job.shift + 1) - job.shift;
  d.flip = job.flip && (random.bits(kFlip) >> 63U) != 0;
  if (job.smallest_crop < 1) draw_crop(job, random, d);
  d.jitter = job.jitter_share > 0 && random.uniform(kJitter) < job.jitter_share;
  if (d.jitter) draw_jitter(job, random, d);
  d.gray = job.gray_share > 0 && random.uniform(kGray) < job.gray_share;
  return d;
}

/// Pixel `at` of the image at `image` after crop, shift and flip: write(c, value) for each channel.
template <class Write>
NEARFAR_BOTH void place(const AugmentJob& job, const Draw& d, const std::uint8_t* image, std::int32_t at,
                        const Write& write) {
  const std::int32_t y = at / job.width, x = at % job.width, mirrored = job.width - 1 - x;
  if (job.smallest_crop < 1) {
    const resize::Taps rows = resize::taps({d.top, d.height, job.height}, y);
    const resize::Taps columns = resize::taps({d.left, d.width, job.width}, d.flip ? mirrored : x);
    for (std::int32_t c = 0; c < job.channels; ++c)
      write(c, resize::bilinear(image, job.width, job.channels, rows, columns, c));
    return;
  }
  const std::int32_t from_y = y - d.rows, from_x = d.flip ? mirrored + d.columns : x - d.columns;
  const bool there = 0 <= from_y && from_y < job.height && 0 <= from_x && from_x < job.width;
  const std::int64_t pixel = (static_cast<std::int64_t>(from_y) * job.width + from_x) * job.channels;
  for (std::int32_t c = 0; c < job.channels; ++c) write(c, there ? image[pixel + c] : 0);
}

/// Whether a step does anything: at strength 0, or to the colour of a grey image, it does not.
NEARFAR_BOTH bool changes(const AugmentJob& job, std::int32_t step) {
  if (step == kStepBrightness) return job.brightness > 0;
  if (step == kStepContrast) return job.contrast > 0;
  return job.channels == 3 && (step == kStepSaturation ? job.saturation : job.hue) > 0;
}

/// The jitter's steps in their order, the contrast's blending with `mean`. `until_contrast`: those before the contrast.
NEARFAR_BOTH color::Pixel jittered(const AugmentJob& job, const Draw& d, color::Pixel p, std::int32_t mean,
                                   bool until_contrast) {
  for (const std::int32_t step : d.order) {
    if (step == kStepContrast && until_contrast) return p;
    if (!changes(job, step)) continue;
    if (step == kStepBrightness) p = color::blend(0, p, d.brightness);
    if (step == kStepContrast) p = color::blend(mean, p, d.contrast);
    if (step == kStepSaturation) p = color::blend(color::gray(p, job.channels), p, d.saturation);
    if (step == kStepHue) p = color::turned(p, d.turn);
  }
  return p;
}

NEARFAR_BOTH color::Pixel placed_pixel(const AugmentJob& job, const Draw& d, const std::uint8_t* image,
                                       std::int32_t at) {
  color::Pixel p{};
  place(job, d, image, at, [&](std::int32_t c, std::int32_t value) { p.c[c] = value; });
  return p;
}

}  // namespace augmentation

/// What is drawn for image `which` of the result.
NEARFAR_BOTH augmentation::Draw augment_draw(const AugmentJob& job, std::int64_t which) {
  return augmentation::draw(
      job, {job.seed, static_cast<std::uint64_t>(*job.epoch), static_cast<std::uint64_t>(which / job.rows),
            static_cast<std::uint64_t>(job.indices[which % job.rows])});
}

NEARFAR_BOTH const std::uint8_t* augment_source(const AugmentJob& job, std::int64_t which) {
  return job.pixels + job.indices[which % job.rows] * job.height * job.width * job.channels;
}

/// First pass, only where a contrast changes: the grey value of pixel `at`, of whose sum the contrast's mean is made.
NEARFAR_BOTH bool augment_needs_mean(const AugmentJob& job, const augmentation::Draw& d) {
  return d.jitter && job.contrast > 0;
}
NEARFAR_BOTH std::int32_t augment_gray(const AugmentJob& job, const augmentation::Draw& d, const std::uint8_t* image,
                                       std::int32_t at) {
  const color::Pixel p = augmentation::placed_pixel(job, d, image, at);
  return color::gray(augmentation::jittered(job, d, p, 0, /*until_contrast=*/true), job.channels);
}

/// Second pass: the value 0 … 255 of each channel of pixel `at`, by write(c, value); `gray_sum` is the first pass's
/// sum, or 0.
template <class Write>
NEARFAR_BOTH void augment_values(const AugmentJob& job, const augmentation::Draw& d, const std::uint8_t* image,
                                 std::int64_t gray_sum, std::int32_t at, const Write& write) {
  if (!d.jitter && !d.gray) return augmentation::place(job, d, image, at, write);  // any number of channels
  color::Pixel p = augmentation::placed_pixel(job, d, image, at);
  if (d.jitter) {
    const std::int32_t mean = color::contrast_mean(gray_sum, static_cast<std::int64_t>(job.height) * job.width);
    p = augmentation::jittered(job, d, p, mean, /*until_contrast=*/false);
  }
  const std::int32_t gray = d.gray ? color::gray(p, job.channels) : 0;
  for (std::int32_t c = 0; c < job.channels; ++c) write(c, d.gray ? gray : p.c[c]);
}

/// The same, normalised, into the image at `out`.
NEARFAR_BOTH void augment_pixel(const AugmentJob& job, const augmentation::Draw& d, const std::uint8_t* image,
                                std::int64_t gray_sum, std::int32_t at, float* out) {
  out += static_cast<std::int64_t>(at) * job.channels;
  augment_values(job, d, image, gray_sum, at,
                 [&](std::int32_t c, std::int32_t value) { out[c] = job.table[256 * c + value]; });
}

}  // namespace nearfar
