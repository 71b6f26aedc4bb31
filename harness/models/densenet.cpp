/// DenseNet-121 (Huang et al. 2017) with torchvision's names.
#include "models/backbone.h"
#include "models/layers.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/max_pool2d.h>
#include <fmt/format.h>

#include <array>
#include <vector>

namespace nearfar {
namespace {

using Layers = std::vector<at::Tensor>;

constexpr std::int64_t kStem = 64, kGrowth = 32, kBottleneck = 4 * kGrowth;
constexpr std::array<std::int64_t, 4> kLayers{6, 12, 24, 16};

/// Norm, activation, convolution.
class Unit {
 public:
  Unit(const Scope& scope, const std::string& number, std::int64_t in, std::int64_t out, std::int64_t kernel)
      : norm_(scope / ("norm" + number), in) {
    const Convolution::Shape shape{in, out, kernel, 1, kernel / 2};
    convolution_ = Convolution(scope / ("conv" + number), shape, Fill::kaiming_normal(shape.fan_in()));
  }

  at::Tensor operator()(const at::Tensor& in, bool training, Layers* seen) const {
    const at::Tensor active = norm_(in, training).relu_();
    const at::Tensor out = convolution_(active);
    if (seen != nullptr) seen->insert(seen->end(), {active, out});
    return out;
  }

 private:
  BatchNorm norm_;
  Convolution convolution_;
};

/// Each layer sees the outputs of all before it.
class DenseBlock {
 public:
  DenseBlock(const Scope& scope, std::int64_t in, std::int64_t layers) {
    for (std::int64_t i = 0; i < layers; ++i) {
      const Scope here = scope / fmt::format("denselayer{}", i + 1);
      narrow_.emplace_back(here, "1", in + i * kGrowth, kBottleneck, 1);
      grow_.emplace_back(here, "2", kBottleneck, kGrowth, 3);
    }
  }

  at::Tensor operator()(const at::Tensor& in, bool training, Layers* seen) const {
    std::vector<at::Tensor> parts{in};
    for (std::size_t i = 0; i < narrow_.size(); ++i) {
      parts.push_back(grow_[i](narrow_[i](at::cat(parts, 1), training, seen), training, seen));
    }
    return at::cat(parts, 1);
  }

 private:
  std::vector<Unit> narrow_, grow_;
};

/// Stage 0 is the stem with its pooling; a stage is a dense block with the transition behind it, the last one with the
/// last norm and activation.
class DenseNet final : public StagedBackbone {
 public:
  DenseNet(const Scope& scope, std::int64_t in_channels) {
    const Scope features = scope / "features";
    const Convolution::Shape stem{in_channels, kStem, 7, 2, 3};
    stem_ = Convolution(features / "conv0", stem, Fill::kaiming_normal(stem.fan_in()));
    stem_norm_ = BatchNorm(features / "norm0", kStem);
    std::int64_t width = kStem;
    for (std::size_t i = 0; i < kLayers.size(); ++i) {
      blocks_.emplace_back(features / fmt::format("denseblock{}", i + 1), width, kLayers[i]);
      width += kLayers[i] * kGrowth;
      if (i + 1 == kLayers.size()) break;
      transitions_.emplace_back(features / fmt::format("transition{}", i + 1), "", width, width / 2, 1);
      width /= 2;
    }
    norm_ = BatchNorm(features / "norm5", width);
    width_ = width;
  }

  std::int64_t stages() const override { return static_cast<std::int64_t>(blocks_.size()) + 1; }
  at::Tensor pool(const at::Tensor& map) const override { return map.mean({2, 3}); }
  std::int64_t width() const override { return width_; }

 private:
  at::Tensor run_stage(const at::Tensor& in, std::int64_t stage, bool training, Layers* seen) const override {
    if (stage == 0) {
      const at::Tensor out = stem_(in);
      const at::Tensor active = stem_norm_(out, training).relu_();
      if (seen != nullptr) seen->insert(seen->end(), {out, active});
      return at::max_pool2d(active, {3, 3}, {2, 2}, {1, 1});
    }
    const auto i = static_cast<std::size_t>(stage - 1);
    const at::Tensor x = blocks_[i](in, training, seen);
    if (i < transitions_.size()) return at::avg_pool2d(transitions_[i](x, training, seen), {2, 2}, {2, 2});
    return norm_(x, training).relu_();  // a function in torchvision, no layer
  }

  Convolution stem_;
  BatchNorm stem_norm_, norm_;
  std::vector<DenseBlock> blocks_;
  std::vector<Unit> transitions_;
  std::int64_t width_ = 0;
};

}  // namespace

std::unique_ptr<Backbone> build_densenet121(const Scope& scope, std::int64_t in_channels) {
  return std::make_unique<DenseNet>(scope, in_channels);
}

}  // namespace nearfar
