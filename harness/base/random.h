#pragma once
/// The mixer under everything that has to be random and the same on every machine. Pure, std only.
#include <cstdint>

namespace nearfar {

/// SplitMix64 (Steele, Lea and Flood 2014): the number that follows state `x`; every bit depends on every bit of `x`.
/// Chained over counters it gives any draw on its own, in any order.
constexpr std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

}  // namespace nearfar
