#pragma once
/// One side of a ranking (the ID scores, or one OOD set) checked and sorted once, so that many comparisons can share
/// the sort. Scores: higher = more out-of-distribution. Immutable once made: safe to read from any thread.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace nearfar {

enum class Side { id, ood };

/// T is float or double and is never narrowed. Owns a sorted copy; the span is not needed after construction. Movable,
/// not copyable. O(n) time (radix sort), 2n keys of memory while sorting, n afterwards.
template <class T>
class SortedScores {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);

 public:
  /// An unsigned integer that orders as the score does; -0.0 and 0.0 have the same key, all other distinct scores have
  /// distinct keys.
  using Key = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;
  /// Stands behind the last key. Above the key of every finite score.
  static constexpr Key kEnd = ~Key{0};

  /// Throws Error(data), naming the side, and the index and the value where there is one, if `scores` is empty, or has
  /// a NaN or an infinity.
  SortedScores(std::span<const T> scores, Side side);

  /// Of `size` keys of other SortedScores in ascending order, with room for one more behind them; not checked.
  static SortedScores of_sorted_keys(std::unique_ptr<Key[]> keys, std::size_t size) {
    keys[size] = kEnd;
    return {std::move(keys), size};
  }

  std::size_t size() const { return size_; }
  /// size() keys in ascending order, then kEnd.
  const Key* keys() const { return keys_.get(); }

 private:
  SortedScores(std::unique_ptr<Key[]> keys, std::size_t size) : size_(size), keys_(std::move(keys)) {}

  std::size_t size_;
  std::unique_ptr<Key[]> keys_;
};

extern template class SortedScores<float>;
extern template class SortedScores<double>;

}  // namespace nearfar
