#pragma once
/// The k largest of very many values scale dot - norm, most of which are passed over at the speed of memory. std only.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace nearfar::common {

/// Keeps somewhat more than k values and a threshold that only rises: the k-th largest when last looked at.
class LargestK {
 public:
  /// Values held at most: shrinking at 2 k costs a few operations a value.
  static std::int64_t capacity(std::int64_t k) { return 2 * k + 128; }

  explicit LargestK(std::int64_t k)
      : k_(static_cast<std::size_t>(k)), capacity_(static_cast<std::size_t>(capacity(k))) {}

  /// Of `count` entries: scale_i dot_i - norm_i.
  void push(const float* dot, const float* scale, const float* norm, std::int64_t count) {
    std::int64_t i = 0;
    for (; i + kGroup <= count; i += kGroup) {
      if (any_above(dot + i, scale + i, norm + i)) push_each(dot + i, scale + i, norm + i, kGroup);
    }
    push_each(dot + i, scale + i, norm + i, count - i);
  }

  /// The k-th largest so far; at least k values must have been pushed.
  float kth() {
    shrink();
    return threshold_;
  }

 private:
  // 16 bytes are a register on every x86-64 and ARMv8: no dispatch is needed, the filter is bound by memory anyway.
  using Floats = float __attribute__((vector_size(16)));
  using Mask = std::int32_t __attribute__((vector_size(16)));
  static constexpr std::int64_t kLanes = 4, kGroup = 32;

  bool any_above(const float* dot, const float* scale, const float* norm) const {
    const Floats threshold = {threshold_, threshold_, threshold_, threshold_};
    Mask above = {};
    for (std::int64_t j = 0; j < kGroup; j += kLanes) {
      Floats d, s, n;
      std::memcpy(&d, dot + j, sizeof d);
      std::memcpy(&s, scale + j, sizeof s);
      std::memcpy(&n, norm + j, sizeof n);
      above |= d * s - n > threshold;
    }
    std::int64_t halves[2];
    std::memcpy(halves, &above, sizeof halves);
    return (halves[0] | halves[1]) != 0;
  }

  void push_each(const float* dot, const float* scale, const float* norm, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = dot[i] * scale[i] - norm[i];
      if (!(value > threshold_)) continue;
      if (kept_.capacity() < capacity_) kept_.reserve(capacity_);
      kept_.push_back(value);
      if (kept_.size() == capacity_) shrink();
    }
  }

  void shrink() {
    const auto kth = kept_.begin() + static_cast<std::ptrdiff_t>(k_) - 1;
    std::nth_element(kept_.begin(), kth, kept_.end(), [](float a, float b) { return a > b; });
    kept_.resize(k_);
    threshold_ = kept_.back();
  }

  std::size_t k_, capacity_;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<float> kept_;
};

}  // namespace nearfar::common
