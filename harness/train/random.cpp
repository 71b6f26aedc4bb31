#include "train/random.h"

#include "base/error.h"
#include "base/random.h"

#include <numeric>
#include <utility>

namespace nearfar {

std::uint64_t random_bits(std::uint64_t seed, RandomPurpose purpose, std::int64_t epoch, std::int64_t index,
                          std::int64_t view) {
  std::uint64_t state = splitmix64(seed);
  for (const std::uint64_t word : {static_cast<std::uint64_t>(purpose), static_cast<std::uint64_t>(epoch),
                                   static_cast<std::uint64_t>(view), static_cast<std::uint64_t>(index)}) {
    state = splitmix64(state ^ word);
  }
  return state;
}

std::uint64_t bounded(std::uint64_t bits, std::uint64_t bound) {
  NEARFAR_ASSERT(bound > 0);
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(bits) * bound) >> 64);
}

std::vector<std::int64_t> permutation(std::uint64_t seed, std::int64_t epoch, std::int64_t count) {
  NEARFAR_ASSERT(count >= 0);
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    const auto bits = random_bits(seed, RandomPurpose::order, epoch, static_cast<std::int64_t>(i - 1));
    std::swap(order[i - 1], order[bounded(bits, i)]);
  }
  return order;
}

std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t stage) { return splitmix64(splitmix64(seed) ^ stage); }

}  // namespace nearfar
