/// ConvNeXt-Tiny (Liu et al. 2022) with torchvision's names. Maps are [N,C,H,W]; the inner half of a block works on
/// [N,H,W,C]. Training leaves out torchvision's stochastic depth: a step must depend on its batch and weights alone.
#include "models/backbone.h"
#include "models/layers.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/gelu.h>

#include <array>
#include <vector>

namespace nearfar {
namespace {

using Layers = std::vector<at::Tensor>;

constexpr std::array<std::int64_t, 4> kWidths{96, 192, 384, 768}, kBlocks{3, 3, 9, 3};
constexpr double kEpsilon = 1e-6;     // of every layer norm
constexpr double kDeviation = 0.02;   // of every convolution and linear layer
constexpr double kLayerScale = 1e-6;  // what a block's result is multiplied by at first

Linear linear(const Scope& scope, std::int64_t in, std::int64_t out) {
  return {scope, in, out, Fill::normal(kDeviation), Fill::constant(0)};
}

Convolution convolution(const Scope& scope, const Convolution::Shape& shape) {
  return {scope, shape, Fill::normal(kDeviation), Fill::constant(0)};
}

at::Tensor noted(at::Tensor x, Layers* seen) {
  if (seen != nullptr) seen->push_back(x);
  return x;
}

/// A layer norm over the channels of each pixel of [N,C,H,W].
at::Tensor over_channels(const LayerNorm& norm, const at::Tensor& map) {
  return norm(map.permute({0, 2, 3, 1})).permute({0, 3, 1, 2});
}

/// Each channel by itself over 7 x 7, then all channels of a pixel.
class Block {
 public:
  Block(const Scope& scope, std::int64_t width)
      : scale_(scope.parameter("layer_scale", {width, 1, 1}, Fill::constant(kLayerScale))),
        depthwise_(convolution(scope / "block" / 0, {width, width, 7, 1, 3, width})),
        norm_(scope / "block" / 2, width, kEpsilon),
        widen_(linear(scope / "block" / 3, width, 4 * width)),
        narrow_(linear(scope / "block" / 5, 4 * width, width)) {}

  at::Tensor operator()(const at::Tensor& in, Layers* seen) const {
    const at::Tensor x = noted(depthwise_(in), seen).permute({0, 2, 3, 1});
    return narrow_(at::gelu(widen_(norm_(x)))).permute({0, 3, 1, 2}).mul(scale_).add(in);
  }

 private:
  at::Tensor scale_;
  Convolution depthwise_;
  LayerNorm norm_;
  Linear widen_, narrow_;
};

/// Stage 0 is the stem of 4 x 4 patches; a stage is its blocks and, but for the last, the halving behind them.
class ConvNeXt final : public StagedBackbone {
 public:
  ConvNeXt(const Scope& scope, std::int64_t in_channels) {
    const Scope features = scope / "features";
    stem_ = convolution(features / 0 / 0, {in_channels, kWidths[0], 4, 4, 0});
    stem_norm_ = LayerNorm(features / 0 / 1, kWidths[0], kEpsilon);
    std::int64_t index = 1;
    for (std::size_t stage = 0; stage < kWidths.size(); ++stage, index += 2) {
      std::vector<Block>& blocks = blocks_.emplace_back();
      for (std::int64_t b = 0; b < kBlocks[stage]; ++b) blocks.emplace_back(features / index / b, kWidths[stage]);
      if (stage + 1 == kWidths.size()) break;
      halving_norms_.emplace_back(features / (index + 1) / 0, kWidths[stage], kEpsilon);
      halvings_.push_back(convolution(features / (index + 1) / 1, {kWidths[stage], kWidths[stage + 1], 2, 2, 0}));
    }
    norm_ = LayerNorm(scope / "classifier" / 0, width(), kEpsilon);
  }

  std::int64_t stages() const override { return static_cast<std::int64_t>(kWidths.size()) + 1; }
  at::Tensor pool(const at::Tensor& map) const override { return norm_(map.mean({2, 3})); }
  std::int64_t width() const override { return kWidths.back(); }

 private:
  at::Tensor run_stage(const at::Tensor& in, std::int64_t stage, bool /*training*/, Layers* seen) const override {
    if (stage == 0) return over_channels(stem_norm_, noted(stem_(in), seen));
    const auto i = static_cast<std::size_t>(stage - 1);
    at::Tensor x = in;
    for (const Block& block : blocks_[i]) x = block(x, seen);
    return i < halvings_.size() ? noted(halvings_[i](over_channels(halving_norms_[i], x)), seen) : x;
  }

  Convolution stem_;
  LayerNorm stem_norm_, norm_;
  std::vector<std::vector<Block>> blocks_;
  std::vector<LayerNorm> halving_norms_;
  std::vector<Convolution> halvings_;
};

}  // namespace

std::unique_ptr<Backbone> build_convnext_tiny(const Scope& scope, std::int64_t in_channels) {
  return std::make_unique<ConvNeXt>(scope, in_channels);
}

}  // namespace nearfar
