// Compiled with -ffp-contract=off, as every user of the bodies (kernels/host_device.h).
#include "data/view_maker.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {

void check_recipe(const AugmentRecipe& r) {
  const auto share = [](double x) { return x >= 0 && x <= 1; };
  const auto strength = [](double x) { return x >= 0 && x < 256; };
  constexpr std::int64_t kMost = 1 << 20;
  const auto refuse = [](const std::string& what) { throw Error(ErrorKind::config, "augmentation: " + what); };
  if (r.views < 1 || r.views >= kMost) refuse(fmt::format("{} views; at least one is expected", r.views));
  if (r.shift < 0 || r.shift >= kMost) refuse(fmt::format("a shift by {} pixels", r.shift));
  if (!(r.smallest_crop > 0 && r.smallest_crop <= 1))
    refuse(fmt::format("a smallest crop of {}; a share of the area above 0 is expected", r.smallest_crop));
  if (r.smallest_crop < 1 && r.shift > 0) refuse("a shift or a resized crop, not both");
  if (!share(r.jitter_share) || !share(r.gray_share))
    refuse(fmt::format("probabilities {} of jitter and {} of grey", r.jitter_share, r.gray_share));
  const Jitter& j = r.jitter;
  if (!strength(j.brightness) || !strength(j.contrast) || !strength(j.saturation) || !(j.hue >= 0 && j.hue <= 0.5)) {
    refuse(fmt::format("jitter {}, {}, {}, {}; 0 or more are expected, and at most 0.5 for the hue", j.brightness,
                       j.contrast, j.saturation, j.hue));
  }
}

ViewMaker::ViewMaker(const TrainImages& images, const AugmentRecipe& recipe, std::uint64_t seed, bool reduced)
    : reader_(images.reader()),
      job_{.height = static_cast<std::int32_t>(images.set().info.height),
           .width = static_cast<std::int32_t>(images.set().info.width),
           .channels = 3,
           .views = recipe.views,
           .seed = seed,
           .shift = static_cast<std::int32_t>(recipe.shift),
           .flip = recipe.flip,
           .smallest_crop = static_cast<float>(recipe.smallest_crop),
           .brightness = static_cast<float>(recipe.jitter.brightness),
           .contrast = static_cast<float>(recipe.jitter.contrast),
           .saturation = static_cast<float>(recipe.jitter.saturation),
           .hue = static_cast<float>(recipe.jitter.hue),
           .jitter_share = static_cast<float>(recipe.jitter_share),
           .gray_share = static_cast<float>(recipe.gray_share)},
      reduced_(reduced) {}

bool ViewMaker::make(std::int64_t index, std::int64_t epoch, std::span<std::uint8_t* const> outs) {
  const ImageSize size = reader_->open(index);
  const bool cropped = job_.smallest_crop < 1;
  AugmentJob drawn = job_;  // crops are drawn for the size that there is
  drawn.height = static_cast<std::int32_t>(size.height);
  drawn.width = static_cast<std::int32_t>(size.width);
  draws_.clear();
  crops_.clear();
  for (std::size_t view = 0; view < outs.size(); ++view) {
    draws_.push_back(augmentation::draw(
        drawn, {job_.seed, static_cast<std::uint64_t>(epoch), view, static_cast<std::uint64_t>(index)}));
    const augmentation::Draw& d = draws_.back();
    if (cropped) crops_.push_back({{d.left, d.top, d.width, d.height}, outs[view]});
  }
  bool damaged = false;
  std::span<const std::uint8_t> image;
  if (cropped) {
    damaged = reader_->crops(crops_, reduced_);
  } else {
    image = reader_->whole(damaged);
  }
  const auto bytes = static_cast<std::size_t>(job_.height) * static_cast<std::size_t>(job_.width) * 3;
  for (std::size_t view = 0; view < outs.size(); ++view) {
    const std::span out(outs[view], bytes);
    if (!cropped) {
      shift_and_flip(job_, draws_[view], image.data(), out.data());
    } else if (draws_[view].flip) {
      finisher_.flip(out, job_.width);
    }
    finisher_.color(job_, draws_[view], out);
  }
  return damaged;
}

}  // namespace nearfar
