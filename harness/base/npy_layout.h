#pragma once
/// How a .npy file has its numbers, and how they become native numbers in C order. Internal to base/. Pure functions.
#include "base/npy.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nearfar {

struct NpyLayout {
  NpyType type = NpyType::float32;
  std::size_t item = 4;  ///< bytes of a number in the file
  bool half = false;     ///< float16, which becomes float32
  bool swapped = false;  ///< big-endian
  bool fortran = false;
};

/// Nothing is to be done: the bytes can be used where they lie.
bool is_native(const NpyLayout& layout, std::span<const std::int64_t> shape, std::span<const std::byte> stored);

/// The numbers of `stored`, whose size fits the shape.
std::vector<std::byte> to_native(const NpyLayout& layout, std::span<const std::int64_t> shape,
                                 std::span<const std::byte> stored);

}  // namespace nearfar
