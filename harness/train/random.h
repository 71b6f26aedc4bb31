#pragma once
/// Counter-based randomness: every number is a pure function of what it is for, so the number of workers, the order of
/// work and a resume change nothing. The mixer is base/random.h's over a chain of counters. Torch-free, any thread.
#include <cstdint>
#include <vector>

namespace nearfar {

/// What a number is for; different purposes never share one.
enum class RandomPurpose : std::uint64_t { order = 1, shift_rows = 2, shift_columns = 3, flip = 4 };

/// 64 random bits for (seed, purpose, epoch, index, view).
std::uint64_t random_bits(std::uint64_t seed, RandomPurpose purpose, std::int64_t epoch, std::int64_t index,
                          std::int64_t view = 0);

/// 0 <= result < bound, from random bits: the high half of bits * bound. Bias below bound / 2^64. bound > 0.
std::uint64_t bounded(std::uint64_t bits, std::uint64_t bound);

/// The order in which epoch `epoch` visits `count` images: Fisher-Yates.
std::vector<std::int64_t> permutation(std::uint64_t seed, std::int64_t epoch, std::int64_t count);

/// A seed of its own for one stage ("init", "data"): stages do not disturb each other.
std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t stage);

}  // namespace nearfar
