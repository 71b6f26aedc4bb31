#pragma once
/// A list of row numbers from a .npy file (NEP 1, versions 1.0 to 3.0): one axis, little-endian int64 or int32, C
/// order; nothing else. std only; safe from any thread.
#include <nearfar/error.h>

#include <bit>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar::common {

namespace npy {

static_assert(std::endian::native == std::endian::little);

[[noreturn]] inline void refuse(const std::string& file, const std::string& what) {
  throw Error(ErrorKind::data,
              file + ": " + what + "; expected a .npy file of one axis of int64 ('<i8') or int32 ('<i4') row numbers");
}

/// What stands after 'key': in a header without blanks.
inline std::string_view value(const std::string& file, std::string_view header, std::string_view key) {
  const std::string quoted = "'" + std::string(key) + "':";
  const auto at = header.find(quoted);
  if (at == std::string_view::npos) refuse(file, "no '" + std::string(key) + "' in its header");
  return header.substr(at + quoted.size());
}

/// "(123,)" at the start of the text.
inline std::size_t length(const std::string& file, std::string_view shape) {
  const auto end = shape.find(')');
  const std::string_view inside =
      shape.starts_with('(') && end != std::string_view::npos ? shape.substr(1, end - 1) : "";
  const std::string_view digits = inside.substr(0, inside.empty() ? 0 : inside.size() - 1);
  if (!inside.ends_with(',') || digits.empty() || digits.size() > 12 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos) {
    refuse(file, "shape " + std::string(shape.substr(0, end == std::string_view::npos ? 20 : end + 1)));
  }
  return std::stoull(std::string(digits));
}

template <class T>
std::vector<std::int64_t> numbers(const std::string& data, std::size_t begin, std::size_t count) {
  std::vector<T> stored(count);
  if (count > 0) std::memcpy(stored.data(), data.data() + begin, count * sizeof(T));
  return {stored.begin(), stored.end()};
}

}  // namespace npy

/// The numbers, each 0 ... rows - 1. Error(config) if the file cannot be read, Error(data) naming it for anything it
/// should not hold.
inline std::vector<std::int64_t> read_npy_indices(const std::string& file, std::int64_t rows) {
  std::ifstream stream(file, std::ios::binary);
  const std::string data{std::istreambuf_iterator<char>(stream), {}};
  if (!stream || data.empty())
    throw Error(ErrorKind::config,
                file + " is missing, empty or cannot be read; give the path of a .npy file of row numbers");
  const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(data[at])); };
  if (data.size() < 12 || !data.starts_with("\x93NUMPY")) npy::refuse(file, "not a .npy file");
  const std::size_t version = byte(6);
  if (version < 1 || version > 3 || byte(7) != 0)
    npy::refuse(file, ".npy version " + std::to_string(version) + "." + std::to_string(byte(7)));
  const std::size_t start = version == 1 ? 10 : 12;
  std::size_t size = byte(8) | byte(9) << 8;
  if (version > 1) size |= byte(10) << 16 | byte(11) << 24;
  if (size > data.size() - start) npy::refuse(file, "cut off in its header");
  std::string header = data.substr(start, size);
  std::erase_if(header, [](unsigned char c) { return std::isspace(c) != 0; });

  const std::string_view type = npy::value(file, header, "descr").substr(0, 5);
  if (type != "'<i8'" && type != "'<i4'") npy::refuse(file, "type " + std::string(type));
  if (!npy::value(file, header, "fortran_order").starts_with("False")) npy::refuse(file, "Fortran order");
  const std::size_t count = npy::length(file, npy::value(file, header, "shape")), item = type == "'<i8'" ? 8 : 4;
  if (data.size() - start - size != count * item) {
    npy::refuse(
        file, std::to_string(data.size() - start - size) + " bytes of data for " + std::to_string(count) + " numbers");
  }
  const auto indices = item == 8 ? npy::numbers<std::int64_t>(data, start + size, count)
                                 : npy::numbers<std::int32_t>(data, start + size, count);
  for (std::size_t i = 0; i < count; ++i) {
    if (indices[i] < 0 || indices[i] >= rows) {
      throw Error(ErrorKind::data, file + ": number " + std::to_string(i) + " is " + std::to_string(indices[i]) +
                                       "; expected 0 to " + std::to_string(rows - 1) + ", a row of the train set");
    }
  }
  return indices;
}

}  // namespace nearfar::common
