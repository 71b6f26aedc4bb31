#pragma once
#include "data/image_stream.h"
#include "models/images.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace nearfar {

/// Lends the images of a view, some a slab; those in `bad` are said to be unreadable, the last one damaged.
class ViewStream final : public ImageStream {
 public:
  ViewStream(const ImageView& view, std::int64_t slab, std::vector<std::int64_t> bad = {})
      : view_(view), slab_(slab), bad_(std::move(bad)) {
    info_.count = view.count;
    info_.channels = view.channels;
    info_.height = view.height;
    info_.width = view.width;
    info_.labels.assign(view.labels.begin(), view.labels.end());
  }
  const SetInfo& info() const override { return info_; }
  bool next(Slab& slab) override {
    if (at_ >= view_.count) return false;
    const auto size = static_cast<std::size_t>(view_.channels * view_.height * view_.width);
    const std::int64_t count = std::min(slab_, view_.count - at_);
    slab = {at_,
            count,
            view_.pixels.subspan(static_cast<std::size_t>(at_) * size, static_cast<std::size_t>(count) * size),
            {},
            {}};
    for (const std::int64_t index : bad_) {
      if (at_ <= index && index < at_ + count) slab.unreadable.push_back(index);
    }
    at_ += count;
    if (at_ == view_.count) slab.damaged.push_back(at_ - 1);
    return true;
  }

 private:
  ImageView view_;
  std::int64_t slab_, at_ = 0;
  std::vector<std::int64_t> bad_;
  SetInfo info_;
};

}  // namespace nearfar
