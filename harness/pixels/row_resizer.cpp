#include "pixels/row_resizer.h"

#include "base/error.h"
#include "pixels/row_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace nearfar {
namespace {

constexpr std::size_t kMaxRing = std::size_t{1} << 28;  // bytes of resized rows held at once

/// The input row with which output row `output` is complete.
std::int64_t last_input(const ResizeAxis& axis, std::size_t output) {
  if (axis.copy) return axis.begin + static_cast<std::int64_t>(output);
  return axis.first[output] + static_cast<std::int64_t>(axis.size[output]) - 1;
}

}  // namespace

void RowResizer::begin(const ResizeAxis& horizontal, const ResizeAxis& vertical, bool vertical_first, std::uint8_t* out,
                       std::size_t out_stride) {
  horizontal_ = &horizontal;
  vertical_ = &vertical;
  vertical_first_ = vertical_first;
  out_ = out;
  out_stride_ = out_stride;
  output_ = 0;
  y_ = vertical.begin;
  row_bytes_ = (vertical_first ? static_cast<std::size_t>(horizontal.end - horizontal.begin) : horizontal.count) * 3;
  slots_ = vertical.copy ? 1 : *std::max_element(vertical.size.begin(), vertical.size.end());
  stride_ = (row_bytes_ + 2 * kRowSlack - 1) / kRowSlack * kRowSlack;
  if (slots_ > kMaxRing / stride_) {
    throw Error(ErrorKind::data,
                fmt::format("{} x {} pixels are too far from {} x {}", horizontal.end - horizontal.begin,
                            vertical.end - vertical.begin, horizontal.count, vertical.count));
  }
  ring_.resize(std::max(ring_.size(), slots_ * stride_));
}

void RowResizer::add(const std::uint8_t* row) {
  const std::int64_t y = y_++;
  std::uint8_t* ring_row = ring_.data() + static_cast<std::size_t>(y) % slots_ * stride_;
  if (horizontal_->copy || vertical_first_) {
    std::memcpy(ring_row, row, row_bytes_);
  } else {
    resize_row(*horizontal_, row, ring_row);
  }
  for (; output_ < vertical_->count && last_input(*vertical_, output_) == y; ++output_, out_ += out_stride_)
    emit(output_);
}

/// Output row `output`, whose input rows are all in the ring.
void RowResizer::emit(std::size_t output) {
  if (vertical_->copy) {
    std::memcpy(out_, ring_.data(), row_bytes_);
    return;
  }
  rows_.clear();
  for (std::size_t k = 0; k < vertical_->size[output]; ++k)
    rows_.push_back(ring_.data() + (static_cast<std::size_t>(vertical_->first[output]) + k) % slots_ * stride_);
  const std::int32_t* weights = &vertical_->weights[output * vertical_->taps];
  if (!vertical_first_) {
    resize_column(weights, rows_.data(), rows_.size(), row_bytes_, out_);
    return;
  }
  tall_.resize(std::max(tall_.size(), stride_));
  narrow_.resize(horizontal_->count * 3 + kRowSlack);
  resize_column(weights, rows_.data(), rows_.size(), row_bytes_, tall_.data());
  resize_row(*horizontal_, tall_.data(), narrow_.data());
  std::memcpy(out_, narrow_.data(), horizontal_->count * 3);
}

}  // namespace nearfar
