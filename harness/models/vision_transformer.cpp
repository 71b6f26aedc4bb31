/// ViT-B/16 (Dosovitskiy et al. 2021) with torchvision's names: pre-norm encoder blocks, no dropout.
#include "models/backbone.h"
#include "models/layers.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <fmt/format.h>

#include <cmath>
#include <vector>

namespace nearfar {
namespace {

constexpr std::int64_t kImage = 224, kPatch = 16, kWidth = 768, kHeads = 12, kLayers = 12, kHidden = 3072;
constexpr double kEpsilon = 1e-6;  // of every layer norm
constexpr double kMlpBiasDeviation = 1e-6;

/// Self-attention; query, key and value come from one matrix [3 D, D], as PyTorch's MultiheadAttention stores it.
class Attention {
 public:
  explicit Attention(const Scope& scope)
      : in_weight_(scope.parameter("in_proj_weight", {3 * kWidth, kWidth}, Fill::xavier_uniform(kWidth, 3 * kWidth))),
        in_bias_(scope.parameter("in_proj_bias", {3 * kWidth}, Fill::constant(0))),
        out_(scope / "out_proj", kWidth, kWidth, Fill::layer_default(kWidth), Fill::constant(0)) {}

  at::Tensor operator()(const at::Tensor& in) const {  // [N,T,D] -> [N,T,D]
    const std::int64_t count = in.size(0), tokens = in.size(1);
    const at::Tensor all = at::linear(in, in_weight_, in_bias_)
                               .view({count, tokens, 3, kHeads, kWidth / kHeads})
                               .permute({2, 0, 3, 1, 4});  // [3,N,heads,T,D/heads]
    const at::Tensor mixed = at::scaled_dot_product_attention(all.select(0, 0), all.select(0, 1), all.select(0, 2));
    return out_(mixed.transpose(1, 2).reshape({count, tokens, kWidth}));
  }

 private:
  at::Tensor in_weight_, in_bias_;
  Linear out_;
};

class EncoderBlock {
 public:
  explicit EncoderBlock(const Scope& scope)
      : norm1_(scope / "ln_1", kWidth, kEpsilon),
        attention_(scope / "self_attention"),
        norm2_(scope / "ln_2", kWidth, kEpsilon),
        widen_(scope / "mlp" / 0, kWidth, kHidden, Fill::xavier_uniform(kWidth, kHidden),
               Fill::normal(kMlpBiasDeviation)),
        narrow_(scope / "mlp" / 3, kHidden, kWidth, Fill::xavier_uniform(kHidden, kWidth),
                Fill::normal(kMlpBiasDeviation)) {}

  at::Tensor operator()(const at::Tensor& in) const {
    const at::Tensor x = attention_(norm1_(in)).add(in);
    return x.add(narrow_(at::gelu(widen_(norm2_(x)))));
  }

 private:
  LayerNorm norm1_;
  Attention attention_;
  LayerNorm norm2_;
  Linear widen_, narrow_;
};

class VisionTransformer final : public Backbone {
 public:
  VisionTransformer(const Scope& scope, std::int64_t in_channels) {
    class_token_ = scope.parameter("class_token", {1, 1, kWidth}, Fill::constant(0));
    const Convolution::Shape patches{in_channels, kWidth, kPatch, kPatch, 0};
    patches_ = Convolution(scope / "conv_proj", patches,
                           Fill::normal(std::sqrt(1 / static_cast<double>(patches.fan_in()))), Fill::constant(0));
    const std::int64_t tokens = 1 + (kImage / kPatch) * (kImage / kPatch);
    positions_ = (scope / "encoder").parameter("pos_embedding", {1, tokens, kWidth}, Fill::normal(0.02));
    for (std::int64_t i = 0; i < kLayers; ++i)
      blocks_.emplace_back(scope / "encoder" / "layers" / fmt::format("encoder_layer_{}", i));
    norm_ = LayerNorm(scope / "encoder" / "ln", kWidth, kEpsilon);
  }

  at::Tensor forward(const at::Tensor& images, bool /*training*/) const override {
    const at::Tensor patches = patches_(images).flatten(2).transpose(1, 2);  // [N,196,D]
    at::Tensor x = at::cat({class_token_.expand({images.size(0), 1, kWidth}), patches}, 1).add(positions_);
    for (const EncoderBlock& block : blocks_) x = block(x);
    return norm_(x.select(1, 0));  // row by row: the class token alone is enough
  }

  std::int64_t width() const override { return kWidth; }

 private:
  at::Tensor class_token_, positions_;
  Convolution patches_;
  std::vector<EncoderBlock> blocks_;
  LayerNorm norm_;
};

}  // namespace

std::unique_ptr<Backbone> build_vit_b_16(const Scope& scope, std::int64_t in_channels) {
  return std::make_unique<VisionTransformer>(scope, in_channels);
}

}  // namespace nearfar
