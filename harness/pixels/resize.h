#pragma once
/// Pillow's antialiased bilinear resize of 8-bit RGB in 22-bit fixed point, one direction at a time. Internal to
/// pixels/.
#include <array>
#include <cstdint>
#include <vector>

namespace nearfar {

/// How outputs [first, first + count) of a direction resized from `in` to `out` pixels are made of its inputs.
struct ResizeAxis {
  bool copy = false;                  ///< in == out: output i is input i
  std::int64_t begin = 0, end = 0;    ///< inputs that are used at all
  std::size_t count = 0;              ///< outputs
  std::size_t taps = 0;               ///< stride of `weights`, a multiple of 4
  std::vector<std::int64_t> first;    ///< [count] first input of an output
  std::vector<std::size_t> size;      ///< [count] inputs of an output, at least 1
  std::vector<std::int32_t> weights;  ///< [count, taps], times 2^22, 0 behind `size`
  std::vector<std::int16_t>
      packed;  ///< [count, taps / 4, 32]: the same for the vector kernel; only if has_row_kernel()
};

void make_resize_axis(std::int64_t in, std::int64_t out, std::int64_t first, std::int64_t count, ResizeAxis& axis);

/// A side that need not begin or end with a pixel: `in` pixels long from `begin` on, of pixels 0 … pixels - 1, outside
/// of which nothing is read.
struct ResizeSide {
  double in = 0, begin = 0;
  std::int64_t pixels = 0;
};
/// Never a copy.
void make_resize_axis(const ResizeSide& side, std::int64_t out, std::int64_t first, std::int64_t count,
                      ResizeAxis& axis);

/// Which pass Pillow 13 does first where both are needed; the 8-bit rows between them make it visible. It is the
/// vertical one if the height shrinks by more than twice what the width does: images more than about twice as tall as
/// wide. (Pillow up to 12 never does; found by comparing, exact on 1,282 random sizes of which most lie at the border.)
bool resizes_vertically_first(std::int64_t in_width, std::int64_t in_height, std::int64_t out_width,
                              std::int64_t out_height);

/// The axes used last, so that a list of images of few sizes makes each once. References hold for two calls of get().
class ResizeAxes {
 public:
  const ResizeAxis& get(std::int64_t in, std::int64_t out, std::int64_t first, std::int64_t count);

 private:
  struct Slot {
    std::array<std::int64_t, 4> key{};
    std::uint64_t used = 0;
    ResizeAxis axis;
  };
  std::array<Slot, 16> slots_;
  std::uint64_t clock_ = 0;
};

// ---- kernels (resize_kernels.cpp): AVX2 where the processor has it, else portable, with the same bytes ----

/// Packed weights of 4 inputs: 8 pairs of high parts and 8 of low parts, weight = high * 2^11 + low, each pair once a
/// channel.
inline constexpr int kLowBits = 11;
inline constexpr std::size_t kPackedGroup = 32;
bool has_row_kernel();

/// Horizontal: `row` is RGB of input axis.begin on, readable kRowSlack past its end; writes axis.count pixels and up to
/// kRowSlack bytes more.
void resize_row(const ResizeAxis& axis, const std::uint8_t* row, std::uint8_t* out);
/// The portable form of it, for tests.
void resize_row_portable(const ResizeAxis& axis, const std::uint8_t* row, std::uint8_t* out);

/// Vertical: `bytes` bytes of one output row from `size` input rows.
void resize_column(const std::int32_t* weights, const std::uint8_t* const* rows, std::size_t size, std::size_t bytes,
                   std::uint8_t* out);
void resize_column_portable(const std::int32_t* weights, const std::uint8_t* const* rows, std::size_t size,
                            std::size_t bytes, std::uint8_t* out);

}  // namespace nearfar
