#pragma once
/// One body for both processors: nvcc compiles it into a kernel, g++ into the CPU's loop. So that both give the same
/// bits: no a * b + c in one rounding (-ffp-contract=off, -fmad=false), and of the mathematical functions only those
/// that IEEE 754 rounds correctly (sqrt).
#include <cstdint>

#ifdef __CUDACC__
#define NEARFAR_BOTH __host__ __device__ __forceinline__
#else
#define NEARFAR_BOTH inline
#endif

namespace nearfar {

/// High half of a product of 64-bit numbers: bits scaled to 0 … bound - 1, as train/random.h's bounded().
NEARFAR_BOTH std::uint64_t high_product(std::uint64_t a, std::uint64_t b) {
#ifdef __CUDA_ARCH__
  return __umul64hi(a, b);
#else
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64);
#endif
}

}  // namespace nearfar
