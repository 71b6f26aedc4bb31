#pragma once
/// NumPy's .npy format, versions 1.0 to 3.0: bool, int8…int64, uint8…uint64, float16, float32, float64 of either byte
/// order, in C or Fortran order. Anything else (objects, structures, complex numbers, text, truncated files) is refused
/// with Error(data) that names the file and ends with what to do. Untrusted: no more memory is taken than a few times
/// the file's size. This is the one parser of such files in the harness. Format: NEP 1, numpy.lib.format.
#include "base/descriptor.h"
#include "base/files.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

enum class NpyType { boolean, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64 };

std::size_t npy_item_size(NpyType type);
std::string npy_type_name(NpyType type);  ///< "float32"
template <class T>
constexpr NpyType npy_type();

/// An array of native numbers in C order, memory-mapped where the file has them like that. Big-endian, Fortran-ordered
/// and unaligned data are put right in memory once, and float16 becomes float32: all of it exact. Spans stay valid as
/// long as the object lives. Read-only, safe from any thread. Data are 64-byte aligned in files we write.
class NpyArray {
 public:
  explicit NpyArray(const std::filesystem::path& file);
  NpyType type() const { return type_; }  ///< of bytes(): never float16
  const std::vector<std::int64_t>& shape() const { return shape_; }
  std::int64_t size() const { return size_; }  ///< number of elements
  std::span<const std::byte> bytes() const { return data_; }
  const std::filesystem::path& file() const { return file_; }
  /// One axis, or two of which the second has length 1: what one number a row is saved as.
  bool is_column() const { return shape_.size() == 1 || (shape_.size() == 2 && shape_[1] == 1); }

  /// Error(data) unless the type is exactly T and the shape has `dimensions` axes. A column has one axis.
  template <class T>
  std::span<const T> values(std::size_t dimensions) const {
    require(npy_type<T>(), dimensions);
    return {reinterpret_cast<const T*>(data_.data()), static_cast<std::size_t>(size_)};
  }

 private:
  void require(NpyType type, std::size_t dimensions) const;
  MappedFile map_;
  std::filesystem::path file_;
  NpyType type_{};
  std::vector<std::int64_t> shape_;
  std::int64_t size_ = 0;
  std::vector<std::byte> storage_;  ///< of what the file has otherwise
  std::span<const std::byte> data_;
};

/// All numbers as T, whatever the file's type; T is float, double or int64.
///   float   what lies between two floats is rounded to the nearest: float64, and whole numbers above 2^24.
///           Error(data) for a finite number that is too large
///   double  exact, but for whole numbers above 2^53, which are rounded to the nearest
///   int64   exact: Error(data) for a fraction, NaN or a number out of range
template <class T>
std::vector<T> converted(const NpyArray& array);

/// Writes atomically (write_file_atomic's promise), version 1.0.
void write_npy(const std::filesystem::path& file, NpyType type, std::span<const std::int64_t> shape,
               std::span<const std::byte> data);

template <class T>
void write_npy(const std::filesystem::path& file, std::span<const std::int64_t> shape, std::span<const T> data) {
  write_npy(file, npy_type<T>(), shape, std::as_bytes(data));
}

/// Writes an array row by row, for arrays whose number of rows is known only at the end. Not atomic: write into a
/// folder that is put in place as a whole. Error(data) naming the file if it cannot be written (disk full). One thread.
class NpyWriter {
 public:
  /// `row_shape`: the axes after the first; empty for a 1-D array.
  NpyWriter(const std::filesystem::path& file, NpyType type, std::vector<std::int64_t> row_shape);
  /// Whole rows.
  void append(std::span<const std::byte> rows);
  /// Writes the final header, flushes to disk. Rows that were appended.
  std::int64_t finish();

 private:
  void write(std::span<const std::byte> bytes);
  std::filesystem::path file_;
  NpyType type_;
  std::vector<std::int64_t> row_shape_;
  std::size_t row_bytes_ = 0;
  std::uint64_t written_ = 0;
  Descriptor descriptor_;
};

template <>
constexpr NpyType npy_type<bool>() {
  return NpyType::boolean;
}
template <>
constexpr NpyType npy_type<std::int8_t>() {
  return NpyType::int8;
}
template <>
constexpr NpyType npy_type<std::int16_t>() {
  return NpyType::int16;
}
template <>
constexpr NpyType npy_type<std::int32_t>() {
  return NpyType::int32;
}
template <>
constexpr NpyType npy_type<std::int64_t>() {
  return NpyType::int64;
}
template <>
constexpr NpyType npy_type<std::uint8_t>() {
  return NpyType::uint8;
}
template <>
constexpr NpyType npy_type<std::uint16_t>() {
  return NpyType::uint16;
}
template <>
constexpr NpyType npy_type<std::uint32_t>() {
  return NpyType::uint32;
}
template <>
constexpr NpyType npy_type<std::uint64_t>() {
  return NpyType::uint64;
}
template <>
constexpr NpyType npy_type<float>() {
  return NpyType::float32;
}
template <>
constexpr NpyType npy_type<double>() {
  return NpyType::float64;
}

}  // namespace nearfar
