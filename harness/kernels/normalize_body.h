#pragma once
/// The test transform, one byte at a time: uint8 -> the table's float. Both processors (host_device.h). A table instead
/// of arithmetic, because GPUs divide by a constant by multiplying.
#include "kernels/host_device.h"

namespace nearfar {

struct NormalizeJob {
  const std::uint8_t* pixels;  ///< [images, height, width, channels]
  const float* table;          ///< [channels, 256]
  float* out;                  ///< as pixels
  std::int64_t bytes;
  std::int32_t channels;
};

/// Byte `at`, which is of channel `c`.
NEARFAR_BOTH void normalize_byte(const NormalizeJob& job, std::int64_t at, std::int32_t c) {
  job.out[at] = job.table[256 * c + job.pixels[at]];
}

}  // namespace nearfar
