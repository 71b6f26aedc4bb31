#pragma once
/// What describes a tensor of the stable tier: dtype, device, shape, number, options; with LibTorch's names and
/// meaning. Plain values, any thread.
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>
#include <vector>

namespace at {
inline namespace nearfar_stable {

/// The dtypes that a plugin meets.
enum class ScalarType : std::int8_t { Byte, Int, Long, Half, Float, Double, Bool, BFloat16 };

enum class DeviceType : std::int8_t { CPU, CUDA, Other };

struct Device {
  Device(DeviceType type_, std::int32_t index_ = -1)
      : kind(type_), number(index_) {}  // NOLINT: implicit, as LibTorch's
  DeviceType type() const { return kind; }
  std::int32_t index() const { return number; }
  bool is_cpu() const { return kind == DeviceType::CPU; }
  bool is_cuda() const { return kind == DeviceType::CUDA; }
  bool operator==(const Device& other) const {
    return kind == other.kind && number == other.number && (kind != DeviceType::Other || code == other.code);
  }
  DeviceType kind;
  std::int32_t number;     ///< -1 = the current one; always so on the CPU
  std::int32_t code = -1;  ///< LibTorch's number of a type that is neither; -1 = ask
};

/// Borrowed numbers: `{3, 4}`, a vector, one number.
class IntArrayRef {
 public:
  IntArrayRef() = default;
  IntArrayRef(const std::int64_t* data, std::size_t size) : data_(data), size_(size) {}
  IntArrayRef(const std::int64_t& one) : data_(&one), size_(1) {}                              // NOLINT: implicit
  IntArrayRef(const std::vector<std::int64_t>& all) : data_(all.data()), size_(all.size()) {}  // NOLINT
  IntArrayRef(std::initializer_list<std::int64_t> all) : data_(std::data(all)), size_(all.size()) {}  // NOLINT
  const std::int64_t* begin() const { return data_; }
  const std::int64_t* end() const { return data_ + size_; }
  const std::int64_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::int64_t operator[](std::size_t i) const { return data_[i]; }
  std::vector<std::int64_t> vec() const { return {begin(), end()}; }
  bool operator==(const IntArrayRef& other) const {
    return size_ == other.size_ && (size_ == 0 || std::memcmp(data_, other.data_, size_ * sizeof *data_) == 0);
  }

 private:
  const std::int64_t* data_ = nullptr;
  std::size_t size_ = 0;
};

inline constexpr ScalarType kFloat = ScalarType::Float, kDouble = ScalarType::Double, kLong = ScalarType::Long,
                            kInt = ScalarType::Int, kBool = ScalarType::Bool, kHalf = ScalarType::Half,
                            kBFloat16 = ScalarType::BFloat16, kByte = ScalarType::Byte;
inline constexpr DeviceType kCPU = DeviceType::CPU, kCUDA = DeviceType::CUDA;

/// A number of either kind.
struct Scalar {
  template <class T>
  requires std::is_arithmetic_v<T> Scalar(T value)  // NOLINT: implicit, as LibTorch's
      : integral(std::is_integral_v<T>),
        integer(std::is_integral_v<T> ? static_cast<std::int64_t>(value) : 0),
        number(static_cast<double>(value)) {}
  bool integral;
  std::int64_t integer;
  double number;
};

/// Type and device of a new tensor.
struct TensorOptions {
  TensorOptions() = default;
  TensorOptions(ScalarType type_) : type(type_) {}       // NOLINT: implicit, as LibTorch's
  TensorOptions(Device device_) : place(device_) {}      // NOLINT
  TensorOptions(DeviceType device_) : place(device_) {}  // NOLINT
  TensorOptions dtype(ScalarType changed) const {
    TensorOptions options = *this;
    options.type = changed;
    return options;
  }
  TensorOptions device(Device changed) const {
    TensorOptions options = *this;
    options.place = changed;
    return options;
  }
  TensorOptions requires_grad(bool wanted) const {
    TensorOptions options = *this;
    options.gradient = wanted;
    return options;
  }
  Device device() const { return place; }
  bool gradient = false;
  ScalarType type = kFloat;
  Device place = kCPU;
};

}  // namespace nearfar_stable
}  // namespace at
