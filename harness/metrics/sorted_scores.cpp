#include "metrics/sorted_scores.h"

#include <nearfar/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace nearfar {
namespace {

constexpr int kDigitBits =
    11;  // a histogram of 2048 counts fits the first-level cache, and 3 passes cover a float, 6 a double
constexpr std::size_t kBuckets = std::size_t{1} << kDigitBits;
constexpr std::size_t kFewScores = 1024;  // below this, clearing and scanning the histograms costs more than std::sort

template <class Key>
constexpr std::size_t kPasses = (sizeof(Key) * 8 + kDigitBits - 1) / kDigitBits;

template <class Key>
std::size_t digit(Key key, std::size_t pass) {
  return static_cast<std::size_t>(key >> (pass * kDigitBits)) & (kBuckets - 1);
}

template <class Key>
constexpr Key kSign = Key{1} << (sizeof(Key) * 8 - 1);

/// The bits of a score, with -0.0 as 0.0: the two tie, as they do when compared.
template <class T, class Key = typename SortedScores<T>::Key>
Key bits_of(T score) {
  return std::bit_cast<Key>(score + T{0});
}

/// Orders as the scores do: sets the sign bit of a positive score, inverts all bits of a negative one.
template <class Key>
Key ordered(Key bits) {
  return bits ^ ((bits & kSign<Key>) != 0 ? ~Key{0} : kSign<Key>);
}

[[noreturn]] void refuse(Side side, const std::string& what) {
  const char* name = side == Side::id ? "in-distribution (id)" : "out-of-distribution (ood)";
  throw Error(ErrorKind::data, fmt::format("{} scores: {}", name, what));
}

template <class T>
[[noreturn]] void refuse_first_unordered(std::span<const T> scores, Side side) {
  const auto bad = std::find_if_not(scores.begin(), scores.end(), [](T score) { return std::isfinite(score); });
  refuse(side,
         fmt::format("value {} at index {} of {}; every score must be finite, so that it has a place in the ranking",
                     *bad, bad - scores.begin(), scores.size()));
}

/// Least significant digit first; passes in which all keys share the digit are skipped. Leaves the result in `keys`.
template <class Key>
void radix_sort(std::unique_ptr<Key[]>& keys, std::size_t size) {
  std::array<std::array<std::size_t, kBuckets>, kPasses<Key>>
      counts{};  // not of 32 bits: as float keys may then alias them, that is slower
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t pass = 0; pass < kPasses<Key>; ++pass) ++counts[pass][digit(keys[i], pass)];
  }
  auto other = std::make_unique_for_overwrite<Key[]>(size + 1);
  for (std::size_t pass = 0; pass < kPasses<Key>; ++pass) {
    auto& next = counts[pass];  // becomes: where the next key of each bucket goes
    if (next[digit(keys[0], pass)] == size) continue;
    std::size_t start = 0;
    for (std::size_t& bucket : next) start += std::exchange(bucket, start);
    const Key* from = keys.get();
    Key* to = other.get();
    for (std::size_t i = 0; i < size; ++i) to[next[digit(from[i], pass)]++] = from[i];
    keys.swap(other);
  }
}

}  // namespace

template <class T>
SortedScores<T>::SortedScores(std::span<const T> scores, Side side) : size_(scores.size()) {
  if (scores.empty()) refuse(side, "there are none; a ranking needs at least one score on each side");
  keys_ = std::make_unique_for_overwrite<Key[]>(size_ + 1);
  Key largest = 0;  // magnitude; infinities and NaN have the largest
  for (std::size_t i = 0; i < size_; ++i) {
    const Key bits = bits_of(scores[i]);
    largest = std::max(largest, bits & ~kSign<Key>);
    keys_[i] = ordered(bits);
  }
  if (largest >= std::bit_cast<Key>(std::numeric_limits<T>::infinity())) refuse_first_unordered(scores, side);
  if (size_ < kFewScores) {
    std::sort(keys_.get(), keys_.get() + size_);
  } else {
    radix_sort(keys_, size_);
  }
  keys_[size_] = kEnd;
}

template class SortedScores<float>;
template class SortedScores<double>;

}  // namespace nearfar
