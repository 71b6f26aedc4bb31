#include "pixels/resize.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace nearfar {
namespace {

constexpr int kBits = 22;
constexpr std::int32_t kHalf = 1 << (kBits - 1);

std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::min(sum >> kBits, 255));
}  // weights are not negative

#if defined(__x86_64__)
#define NEARFAR_AVX2 __attribute__((target("avx2")))

/// The sums of one output pixel, 3 channels in each half of the result, still to be added. 4 inputs at a time: the
/// bytes of two inputs are brought beside each other, channel by channel, and multiplied as 16-bit pairs. The 23-bit
/// weight is split in two 16-bit parts for that; the sums of both are exact.
NEARFAR_AVX2 inline __m256i pixel_sums(const std::uint8_t* in, const std::int16_t* weights, std::size_t groups) {
  const __m256i pairs = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                                         6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  __m256i high = _mm256_setzero_si256(), low = high;
  for (std::size_t g = 0; g < groups; ++g) {
    const __m256i bytes = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + g * 12)));
    const __m256i values = _mm256_shuffle_epi8(bytes, pairs);
    const auto* part = reinterpret_cast<const __m256i*>(weights + g * kPackedGroup);
    high = _mm256_add_epi32(high, _mm256_madd_epi16(values, _mm256_loadu_si256(part)));
    low = _mm256_add_epi32(low, _mm256_madd_epi16(values, _mm256_loadu_si256(part + 1)));
  }
  return _mm256_add_epi32(_mm256_slli_epi32(high, kLowBits), low);
}

/// Adds the halves of `a` and of `b`: the pixels of `a` and `b` beside each other, rounded.
NEARFAR_AVX2 inline __m256i two_pixels(__m256i a, __m256i b) {
  const __m256i sums = _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
  return _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(kHalf)), kBits);
}

/// kGroups: of 4 inputs, the same for every pixel; 0: told by `axis`.
template <std::size_t kGroups>
NEARFAR_AVX2 void resize_row_avx2(const ResizeAxis& axis, const std::uint8_t* row, std::uint8_t* out) {
  const std::int64_t* first = axis.first.data();
  const std::size_t* size = axis.size.data();
  const std::int16_t* weights = axis.packed.data();
  const std::size_t stride = axis.taps / 4 * kPackedGroup, last = axis.count - 1;
  const std::uint8_t* origin = row - axis.begin * 3;
  const auto sums = [&](std::size_t i) NEARFAR_AVX2 {
    return pixel_sums(origin + first[i] * 3, weights + i * stride, kGroups != 0 ? kGroups : (size[i] + 3) / 4);
  };
  const __m128i order = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  for (std::size_t i = 0; i <= last; i += 4) {  // past the end: the last pixel again
    const __m256i first_two = two_pixels(sums(i), sums(std::min(i + 1, last)));
    const __m256i next_two = two_pixels(sums(std::min(i + 2, last)), sums(std::min(i + 3, last)));
    const __m256i words = _mm256_packs_epi32(first_two, next_two);  // pixels 0 2 | 1 3
    const __m256i bytes = _mm256_packus_epi16(words, words);
    const __m128i four = _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i * 3), _mm_shuffle_epi8(four, order));
  }
}

NEARFAR_AVX2 void resize_column_avx2(const std::int32_t* weights, const std::uint8_t* const* rows, std::size_t size,
                                     std::size_t bytes, std::uint8_t* out) {
  const __m256i half = _mm256_set1_epi32(kHalf);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  std::size_t x = 0;
  for (; x + 32 <= bytes; x += 32) {
    __m256i sums[4] = {half, half, half, half};
    for (std::size_t k = 0; k < size; ++k) {
      const __m256i weight = _mm256_set1_epi32(weights[k]);
      for (std::size_t part = 0; part < 4; ++part) {
        const __m256i values =
            _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(rows[k] + x + part * 8)));
        sums[part] = _mm256_add_epi32(sums[part], _mm256_mullo_epi32(values, weight));
      }
    }
    for (__m256i& sum : sums) sum = _mm256_srai_epi32(sum, kBits);
    const __m256i packed =
        _mm256_packus_epi16(_mm256_packs_epi32(sums[0], sums[1]), _mm256_packs_epi32(sums[2], sums[3]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + x), _mm256_permutevar8x32_epi32(packed, order));
  }
  for (; x < bytes; ++x) {
    std::int32_t sum = kHalf;
    for (std::size_t k = 0; k < size; ++k) sum += weights[k] * rows[k][x];
    out[x] = to_byte(sum);
  }
}

const bool kAvx2 = __builtin_cpu_supports("avx2") != 0;
#else
constexpr bool kAvx2 = false;
#endif

}  // namespace

bool has_row_kernel() { return kAvx2; }

void resize_row_portable(const ResizeAxis& axis, const std::uint8_t* row, std::uint8_t* out) {
  for (std::size_t i = 0; i < axis.count; ++i) {
    const std::uint8_t* in = row + (axis.first[i] - axis.begin) * 3;
    const std::int32_t* weights = &axis.weights[i * axis.taps];
    std::int32_t sums[3] = {kHalf, kHalf, kHalf};
    for (std::size_t k = 0; k < axis.size[i]; ++k) {
      for (std::size_t c = 0; c < 3; ++c) sums[c] += weights[k] * in[k * 3 + c];
    }
    for (std::size_t c = 0; c < 3; ++c) out[i * 3 + c] = to_byte(sums[c]);
  }
}

void resize_column_portable(const std::int32_t* weights, const std::uint8_t* const* rows, std::size_t size,
                            std::size_t bytes, std::uint8_t* out) {
  constexpr std::size_t kTile = 64;  // sums stay in registers or the first cache
  for (std::size_t x = 0; x < bytes; x += kTile) {
    const std::size_t width = std::min(kTile, bytes - x);
    std::int32_t sums[kTile];
    std::fill_n(sums, kTile, kHalf);
    for (std::size_t k = 0; k < size; ++k) {
      for (std::size_t j = 0; j < width; ++j) sums[j] += weights[k] * rows[k][x + j];
    }
    for (std::size_t j = 0; j < width; ++j) out[x + j] = to_byte(sums[j]);
  }
}

void resize_row(const ResizeAxis& axis, const std::uint8_t* row, std::uint8_t* out) {
#if defined(__x86_64__)
  if (kAvx2) {  // weights behind an output's inputs are 0, so it may take as many as any has
    if (axis.taps == 4) return resize_row_avx2<1>(axis, row, out);
    if (axis.taps == 8) return resize_row_avx2<2>(axis, row, out);
    return resize_row_avx2<0>(axis, row, out);
  }
#endif
  resize_row_portable(axis, row, out);
}

void resize_column(const std::int32_t* weights, const std::uint8_t* const* rows, std::size_t size, std::size_t bytes,
                   std::uint8_t* out) {
#if defined(__x86_64__)
  if (kAvx2) return resize_column_avx2(weights, rows, size, bytes, out);
#endif
  resize_column_portable(weights, rows, size, bytes, out);
}

}  // namespace nearfar
