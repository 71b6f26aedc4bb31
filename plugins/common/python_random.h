#pragma once
/// Python's random.sample(range(n), k) after random.seed(s), to the number: a draw that anybody can repeat with two
/// lines of Python, and that gives OpenOOD's own picks where it was seeded. std only.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <vector>

namespace nearfar::common {

/// The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998) seeded as Python does, by an array of one word.
class PythonRandom {
 public:
  explicit PythonRandom(std::uint32_t seed) {
    state_[0] = 19650218u;
    for (std::uint32_t i = 1; i < kWords; ++i) state_[i] = 1812433253u * folded(i - 1) + i;
    std::uint32_t i = 1;
    const auto next = [&] {
      if (++i < kWords) return;
      state_[0] = state_[kWords - 1];
      i = 1;
    };
    for (std::uint32_t k = 0; k < kWords; ++k, next()) state_[i] = (state_[i] ^ (folded(i - 1) * 1664525u)) + seed;
    for (std::uint32_t k = 0; k + 1 < kWords; ++k, next()) state_[i] = (state_[i] ^ (folded(i - 1) * 1566083941u)) - i;
    state_[0] = 0x80000000u;
  }

  /// `count` different numbers of 0 … total - 1, in the order drawn; 0 <= count <= total < 2^31.
  std::vector<std::int64_t> sample(std::int64_t total, std::int64_t count) {
    std::int64_t small = 21;  // up to here Python keeps a list of all; beyond, a set of the chosen
    if (count > 5) {
      std::int64_t power = 1;
      while (power < count * 3) power *= 4;
      small += power;
    }
    return total <= small ? from_list(total, count) : from_set(total, count);
  }

 private:
  static constexpr std::uint32_t kWords = 624, kShift = 397;

  std::uint32_t folded(std::uint32_t i) const { return state_[i] ^ (state_[i] >> 30); }

  std::uint32_t word() {
    if (at_ == kWords) {
      for (std::uint32_t i = 0; i < kWords; ++i) {
        const std::uint32_t y = (state_[i] & 0x80000000u) | (state_[(i + 1) % kWords] & 0x7fffffffu);
        state_[i] = state_[(i + kShift) % kWords] ^ (y >> 1) ^ ((y & 1u) != 0 ? 0x9908b0dfu : 0u);
      }
      at_ = 0;
    }
    std::uint32_t y = state_[at_++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
  }

  /// 0 … limit - 1, limit >= 1: as many bits as the limit has, drawn again while too large.
  std::int64_t below(std::int64_t limit) {
    const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(limit)));
    std::int64_t number = limit;
    while (number >= limit) number = static_cast<std::int64_t>(word() >> (32 - bits));
    return number;
  }

  std::vector<std::int64_t> from_list(std::int64_t total, std::int64_t count) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(total)), chosen;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    for (std::int64_t left = total; left > total - count; --left) {
      std::int64_t& one = all[static_cast<std::size_t>(below(left))];
      chosen.push_back(one);
      one = all[static_cast<std::size_t>(left - 1)];
    }
    return chosen;
  }

  std::vector<std::int64_t> from_set(std::int64_t total, std::int64_t count) {
    std::unordered_set<std::int64_t> taken;
    std::vector<std::int64_t> chosen;
    while (static_cast<std::int64_t>(chosen.size()) < count) {
      const std::int64_t one = below(total);
      if (taken.insert(one).second) chosen.push_back(one);
    }
    return chosen;
  }

  std::array<std::uint32_t, kWords> state_{};
  std::uint32_t at_ = kWords;
};

}  // namespace nearfar::common
