/// Wide residual networks (Zagoruyko and Komodakis 2016) for 32 x 32 images, with the names and initial weights of
/// xternalz/WideResNet-pytorch, which Hendrycks' outlier-exposure code and most of the field after it took over.
/// Training leaves out its dropout: a step must depend on its batch and weights alone.
#include "models/backbone.h"
#include "models/layers.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <optional>
#include <vector>

namespace nearfar {
namespace {

using Layers = std::vector<at::Tensor>;

Convolution convolution(const Scope& scope, std::int64_t in, std::int64_t out, std::int64_t kernel,
                        std::int64_t stride) {
  const Convolution::Shape shape{in, out, kernel, stride, kernel / 2};
  return {scope, shape, Fill::kaiming_normal(shape.fan_out())};
}

/// Passes a layer's output on, and keeps it where somebody looks.
at::Tensor noted(at::Tensor x, Layers* seen) {
  if (seen != nullptr) seen->push_back(x);
  return x;
}

/// Norm and activation come before each convolution. Where the shape changes, the shortcut too sees the first
/// activation.
class Block {
 public:
  Block(const Scope& scope, std::int64_t in, std::int64_t out, std::int64_t stride)
      : norm1_(scope / "bn1", in),
        convolution1_(convolution(scope / "conv1", in, out, 3, stride)),
        norm2_(scope / "bn2", out),
        convolution2_(convolution(scope / "conv2", out, out, 3, 1)) {
    if (in != out) shortcut_ = convolution(scope / "convShortcut", in, out, 1, stride);
  }

  at::Tensor operator()(const at::Tensor& in, bool training, Layers* seen) const {
    const at::Tensor active = noted(norm1_(in, training).relu_(), seen);
    const at::Tensor inner = noted(norm2_(noted(convolution1_(active), seen), training).relu_(), seen);
    const at::Tensor out = noted(convolution2_(inner), seen);
    return out.add(shortcut_ ? noted((*shortcut_)(active), seen) : in);
  }

 private:
  BatchNorm norm1_;
  Convolution convolution1_;
  BatchNorm norm2_;
  Convolution convolution2_;
  std::optional<Convolution> shortcut_;
};

/// Stage 0 is the first convolution alone; the last stage ends with the network's last norm and activation, which is
/// what is pooled.
class WideResNet final : public StagedBackbone {
 public:
  WideResNet(const Scope& scope, std::int64_t in_channels, std::int64_t depth, std::int64_t widen)
      : first_(convolution(scope / "conv1", in_channels, kStem, 3, 1)) {
    std::int64_t width = kStem;
    for (std::int64_t stage = 0; stage < kStages; ++stage) {
      const Scope here = scope / fmt::format("block{}", stage + 1) / "layer";
      const std::int64_t out = (kStem << stage) * widen;
      std::vector<Block>& blocks = blocks_.emplace_back();
      for (std::int64_t b = 0; b < (depth - 4) / 6; ++b) {
        blocks.emplace_back(here / b, width, out, b == 0 && stage > 0 ? 2 : 1);
        width = out;
      }
    }
    norm_ = BatchNorm(scope / "bn1", width);
    width_ = width;
  }

  std::int64_t stages() const override { return kStages + 1; }
  at::Tensor pool(const at::Tensor& map) const override { return map.mean({2, 3}); }
  std::int64_t width() const override { return width_; }

 private:
  static constexpr std::int64_t kStem = 16, kStages = 3;

  at::Tensor run_stage(const at::Tensor& in, std::int64_t stage, bool training, Layers* seen) const override {
    if (stage == 0) return noted(first_(in), seen);
    at::Tensor x = in;
    for (const Block& block : blocks_[static_cast<std::size_t>(stage - 1)]) x = block(x, training, seen);
    return stage < kStages ? x : noted(norm_(x, training).relu_(), seen);
  }

  Convolution first_;
  std::vector<std::vector<Block>> blocks_;
  BatchNorm norm_;
  std::int64_t width_ = 0;
};

}  // namespace

std::unique_ptr<Backbone> build_wrn_40_2(const Scope& scope, std::int64_t in_channels) {
  return std::make_unique<WideResNet>(scope, in_channels, 40, 2);
}

std::unique_ptr<Backbone> build_wrn_28_10(const Scope& scope, std::int64_t in_channels) {
  return std::make_unique<WideResNet>(scope, in_channels, 28, 10);
}

}  // namespace nearfar
