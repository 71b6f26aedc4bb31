#pragma once
/// Rows of an image become the rows of the resized one, as Pillow makes them, with only as many rows held as one result
/// row needs. Internal to pixels/. One thread.
#include "pixels/resize.h"

#include <cstdint>
#include <vector>

namespace nearfar {

class RowResizer {
 public:
  /// The axes outlive the rows. `out`: where the first row of the result begins, `out_stride` bytes before the next.
  /// `vertical_first`: only where neither axis copies. Error(data) for a shrinking that would hold more than 256 MiB.
  void begin(const ResizeAxis& horizontal, const ResizeAxis& vertical, bool vertical_first, std::uint8_t* out,
             std::size_t out_stride);
  /// Rows vertical.begin … vertical.end - 1, one a call, from pixel horizontal.begin on; readable kRowSlack past their
  /// end.
  void add(const std::uint8_t* row);

 private:
  void emit(std::size_t output);

  const ResizeAxis *horizontal_ = nullptr, *vertical_ = nullptr;
  bool vertical_first_ = false;
  std::uint8_t* out_ = nullptr;
  std::size_t out_stride_ = 0, output_ = 0;
  std::int64_t y_ = 0;
  std::size_t slots_ = 0, stride_ = 0,
              row_bytes_ = 0;       // of the ring: rows, bytes from one to the next, bytes of a row that are used
  std::vector<std::uint8_t> ring_;  // the last rows, as they came or after the horizontal pass
  std::vector<const std::uint8_t*> rows_;    // those of one output row
  std::vector<std::uint8_t> tall_, narrow_;  // vertical pass first: its row, and the horizontal pass's
};

}  // namespace nearfar
