// The loops for each kind of processor. -O3 and -fopenmp-simd: they are written for the vectoriser.
#include "kernels/pair_loops.h"

#include "kernels/pair_loops_body.h"

namespace nearfar {
namespace {

enum class Vectors { plain, avx2, avx512 };

#if defined(__x86_64__)
#if defined(__clang__)
#define NEARFAR_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))
#else  // gcc prefers vectors of half the width unless told
#define NEARFAR_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512")))
#endif
#define NEARFAR_AVX2_FMA __attribute__((target("avx2,fma")))

Vectors vectors() {
  static const Vectors found = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
      return Vectors::avx512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? Vectors::avx2 : Vectors::plain;
  }();
  return found;
}
#else
#define NEARFAR_AVX512
#define NEARFAR_AVX2_FMA
Vectors vectors() { return Vectors::plain; }
#endif

template <auto body, class... Arguments>
NEARFAR_AVX512 auto with_avx512(Arguments... arguments) {
  return body(arguments...);
}
template <auto body, class... Arguments>
NEARFAR_AVX2_FMA auto with_avx2(Arguments... arguments) {
  return body(arguments...);
}

template <auto body, class... Arguments>
auto run(Arguments... arguments) {
  switch (vectors()) {
    case Vectors::avx512:
      return with_avx512<body>(arguments...);
    case Vectors::avx2:
      return with_avx2<body>(arguments...);
    case Vectors::plain:
      break;
  }
  return body(arguments...);
}

}  // namespace

template <class T>
void exponentials(PairTile<T> tile, T scale, T shift, Sides<T> sums) {
  run<pair_loops::exponentials<T>>(tile, scale, shift, sums);
}
template <class T>
void log_sums(PairTile<T> tile, T scale, Sides<T> largest, Sides<T> sums) {
  run<pair_loops::log_sums<T>>(tile, scale, largest, sums);
}
template <class T>
void scale_by_sides(PairTile<T> tile, ConstSides<T> factors) {
  run<pair_loops::scale_by_sides<T>>(tile, factors);
}
template <class T>
void weigh_both_sides(PairTile<T> tile, T scale, ConstSides<T> shifts, ConstSides<T> factors) {
  run<pair_loops::weigh_both_sides<T>>(tile, scale, shifts, factors);
}
template <class T>
BothKinds<T> reweighted(PairTile<T> tile, const PairSlopes<T>& slopes, ConstSides<T> classes, T* exponents) {
  return run<pair_loops::reweighted<T>>(tile, slopes, classes, exponents);
}
template <class T>
void scale_by_kind(PairTile<T> tile, T within, T between) {
  run<pair_loops::scale_by_kind<T>>(tile, within, between);
}

#define NEARFAR_PAIR_LOOPS(T)                                                             \
  template void exponentials(PairTile<T>, T, T, Sides<T>);                                \
  template void log_sums(PairTile<T>, T, Sides<T>, Sides<T>);                             \
  template void scale_by_sides(PairTile<T>, ConstSides<T>);                               \
  template void weigh_both_sides(PairTile<T>, T, ConstSides<T>, ConstSides<T>);           \
  template BothKinds<T> reweighted(PairTile<T>, const PairSlopes<T>&, ConstSides<T>, T*); \
  template void scale_by_kind(PairTile<T>, T, T);
NEARFAR_PAIR_LOOPS(float)
NEARFAR_PAIR_LOOPS(double)
#undef NEARFAR_PAIR_LOOPS

}  // namespace nearfar
