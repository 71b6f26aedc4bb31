#include "base/npy_layout.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace nearfar {
namespace {

static_assert(std::endian::native == std::endian::little);

/// A number of Item's size, byte by byte: `from` need not be aligned.
template <class Item>
Item load(const std::byte* from, bool swapped) {
  std::array<std::byte, sizeof(Item)> bytes;
  std::memcpy(bytes.data(), from, sizeof(Item));
  if (swapped) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<Item>(bytes);
}

/// In Fortran order the first axis lies together. Rows are taken some at a time, so that what is written stays in the
/// cache while the other axes are walked, the last the fastest.
template <class Item>
void from_fortran(std::span<const std::int64_t> shape, const std::byte* stored, bool swapped, Item* out) {
  constexpr std::int64_t kRows = 64;
  const std::int64_t rows = shape[0];
  std::int64_t rest = 1;
  for (const std::int64_t axis : shape.subspan(1)) rest *= axis;
  if (rows == 0 || rest == 0) return;
  std::vector<std::int64_t> strides(shape.size(), 1), at(shape.size(), 0);
  for (std::size_t i = 1; i < shape.size(); ++i) strides[i] = strides[i - 1] * shape[i - 1];
  for (std::int64_t first = 0; first < rows; first += kRows) {
    const std::int64_t last = std::min(first + kRows, rows);
    std::int64_t offset = 0;
    for (std::int64_t column = 0; column < rest; ++column) {
      for (std::int64_t row = first; row < last; ++row)
        out[row * rest + column] = load<Item>(stored + static_cast<std::size_t>(offset + row) * sizeof(Item), swapped);
      for (std::size_t axis = shape.size() - 1; axis > 0; --axis) {
        offset += strides[axis];
        if (++at[axis] < shape[axis]) break;
        offset -= strides[axis] * shape[axis];
        at[axis] = 0;
      }
    }
  }
}

bool is_transposed(const NpyLayout& layout, std::span<const std::int64_t> shape) {
  const auto longer = std::count_if(shape.begin(), shape.end(), [](std::int64_t axis) { return axis > 1; });
  return layout.fortran && longer > 1;  // a vector is both
}

template <class Item>
std::vector<std::byte> ordered(const NpyLayout& layout, std::span<const std::int64_t> shape,
                               std::span<const std::byte> stored) {
  std::vector<std::byte> result(stored.size());
  Item* const out = reinterpret_cast<Item*>(result.data());  // of operator new: aligned for any number
  if (is_transposed(layout, shape)) {
    from_fortran(shape, stored.data(), layout.swapped, out);
  } else {
    for (std::size_t i = 0; i < stored.size() / sizeof(Item); ++i)
      out[i] = load<Item>(stored.data() + i * sizeof(Item), layout.swapped);
  }
  return result;
}

/// IEEE 754 binary16 to binary32; exact.
float widened(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16, exponent = half >> 10 & 31U, fraction = half & 1023U;
  if (exponent == 0) {  // zero and subnormal numbers: fraction * 2^-24
    const float size = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -size : size;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | fraction << 13);
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

std::vector<std::byte> from_halves(std::span<const std::byte> halves) {
  std::vector<std::byte> result(halves.size() * 2);
  for (std::size_t i = 0; i < halves.size() / 2; ++i) {
    const float value = widened(load<std::uint16_t>(halves.data() + i * 2, false));
    std::memcpy(result.data() + i * sizeof(float), &value, sizeof(float));
  }
  return result;
}

[[noreturn]] void refuse_number(const NpyArray& array, std::size_t index, const std::string& value,
                                std::string_view wanted, std::string_view fix) {
  throw Error(ErrorKind::data,
              fmt::format("{}: number {} is {}, which is no {}; {}", array.file().string(), index, value, wanted, fix));
}

/// `value`, the number at `index`, by the rules of converted().
template <class To, class From>
To one(const NpyArray& array, std::size_t index, From value) {
  if constexpr (std::is_same_v<To, float> && std::is_same_v<From, double>) {
    const auto narrow = static_cast<float>(value);
    if (std::isinf(narrow) && !std::isinf(value))
      refuse_number(array, index, fmt::format("{}", value), "float32", "scale the numbers down");
    return narrow;
  } else if constexpr (std::is_same_v<To, std::int64_t> && std::is_floating_point_v<From>) {
    constexpr double kEnd = 9223372036854775808.0;  // 2^63
    const auto wide = static_cast<double>(value);
    if (!(wide >= -kEnd && wide < kEnd) || wide != std::floor(wide))
      refuse_number(array, index, fmt::format("{}", value), "integer",
                    "save it with np.save(file, labels.astype('int64'))");
    return static_cast<std::int64_t>(wide);
  } else if constexpr (std::is_same_v<To, std::int64_t> && std::is_same_v<From, std::uint64_t>) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      refuse_number(array, index, fmt::format("{}", value), "int64",
                    "save it with np.save(file, labels.astype('int64'))");
    return static_cast<std::int64_t>(value);
  } else {
    return static_cast<To>(value);
  }
}

template <class To, class From>
std::vector<To> all(const NpyArray& array) {
  const std::byte* const from = array.bytes().data();
  std::vector<To> result(static_cast<std::size_t>(array.size()));
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = one<To>(array, i, load<From>(from + i * sizeof(From), false));
  return result;
}

}  // namespace

bool is_native(const NpyLayout& layout, std::span<const std::int64_t> shape, std::span<const std::byte> stored) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(stored.data()) % layout.item == 0;
  return stored.empty() || (aligned && !layout.half && !layout.swapped && !is_transposed(layout, shape));
}

std::vector<std::byte> to_native(const NpyLayout& layout, std::span<const std::int64_t> shape,
                                 std::span<const std::byte> stored) {
  switch (layout.item) {
    case 1:
      return ordered<std::uint8_t>(layout, shape, stored);
    case 2: {
      std::vector<std::byte> numbers = ordered<std::uint16_t>(layout, shape, stored);
      return layout.half ? from_halves(numbers) : numbers;
    }
    case 4:
      return ordered<std::uint32_t>(layout, shape, stored);
    default:
      NEARFAR_ASSERT(layout.item == 8);
      return ordered<std::uint64_t>(layout, shape, stored);
  }
}

template <class T>
std::vector<T> converted(const NpyArray& array) {
  switch (array.type()) {
    case NpyType::boolean: {  // any byte but 0 is true
      std::vector<T> result;
      for (const std::byte byte : array.bytes()) result.push_back(byte != std::byte{0} ? T{1} : T{0});
      return result;
    }
    case NpyType::int8:
      return all<T, std::int8_t>(array);
    case NpyType::int16:
      return all<T, std::int16_t>(array);
    case NpyType::int32:
      return all<T, std::int32_t>(array);
    case NpyType::int64:
      return all<T, std::int64_t>(array);
    case NpyType::uint8:
      return all<T, std::uint8_t>(array);
    case NpyType::uint16:
      return all<T, std::uint16_t>(array);
    case NpyType::uint32:
      return all<T, std::uint32_t>(array);
    case NpyType::uint64:
      return all<T, std::uint64_t>(array);
    case NpyType::float32:
      return all<T, float>(array);
    case NpyType::float64:
      break;
  }
  return all<T, double>(array);
}

template std::vector<float> converted<float>(const NpyArray&);
template std::vector<double> converted<double>(const NpyArray&);
template std::vector<std::int64_t> converted<std::int64_t>(const NpyArray&);

}  // namespace nearfar
