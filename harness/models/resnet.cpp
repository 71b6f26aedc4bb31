/// Residual networks (He et al. 2016): ours for 28 x 28, OpenOOD's for 32 x 32 and 64 x 64, torchvision's for 224 x
/// 224.
#include "models/backbone.h"
#include "models/layers.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/max_pool2d.h>
#include <fmt/format.h>

#include <array>
#include <optional>
#include <vector>

namespace nearfar {
namespace {

/// How convolutions start, and what the shortcut of a block is called: the two families differ in nothing else that a
/// block sees.
struct Family {
  const char* shortcut;
  bool kaiming_normal;
  bool relu_layers;  ///< activations are layers, not functions: hooks see them

  Convolution convolution(const Scope& scope, std::int64_t in, std::int64_t out, std::int64_t kernel,
                          std::int64_t stride) const {
    const Convolution::Shape shape{in, out, kernel, stride, kernel / 2};
    return {scope, shape, kaiming_normal ? Fill::kaiming_normal(shape.fan_out()) : Fill::layer_default(shape.fan_in())};
  }
};
constexpr Family kPyTorchDefaults{"shortcut", false, false}, kTorchvision{"downsample", true, true};

using Layers = std::vector<at::Tensor>;  // that are kept; null = none

/// A convolution and its batch norm.
struct Unit {
  Unit(const Scope& scope, const char* convolution_name, const char* norm_name, const Family& family, std::int64_t in,
       std::int64_t out, std::int64_t kernel, std::int64_t stride)
      : convolution(family.convolution(scope / convolution_name, in, out, kernel, stride)),
        norm(scope / norm_name, out) {}

  at::Tensor operator()(const at::Tensor& in, bool training, Layers* seen) const {
    const at::Tensor out = convolution(in);
    if (seen != nullptr) seen->push_back(out);
    return norm(out, training);
  }

  Convolution convolution;
  BatchNorm norm;
};

/// Basic: two 3x3 convolutions. Bottleneck: 1x1, 3x3 (it has the stride, torchvision's "v1.5"), 1x1 to four times the
/// width. The shortcut is a strided 1x1 convolution where the shape changes.
class Block {
 public:
  Block(const Scope& scope, const Family& family, bool bottleneck, std::int64_t in, std::int64_t width,
        std::int64_t stride)
      : relu_layers_(family.relu_layers) {
    const std::int64_t out = bottleneck ? 4 * width : width;
    if (bottleneck) {
      units_.emplace_back(scope, "conv1", "bn1", family, in, width, 1, 1);
      units_.emplace_back(scope, "conv2", "bn2", family, width, width, 3, stride);
      units_.emplace_back(scope, "conv3", "bn3", family, width, out, 1, 1);
    } else {
      units_.emplace_back(scope, "conv1", "bn1", family, in, width, 3, stride);
      units_.emplace_back(scope, "conv2", "bn2", family, width, width, 3, 1);
    }
    if (in != out || stride != 1) shortcut_.emplace(scope / family.shortcut, "0", "1", family, in, out, 1, stride);
  }

  at::Tensor operator()(const at::Tensor& in, bool training, Layers* seen) const {
    const auto relu = [&](at::Tensor x) {
      x.relu_();
      if (seen != nullptr && relu_layers_) seen->push_back(x);
      return x;
    };
    at::Tensor inner = in;
    for (std::size_t i = 0; i + 1 < units_.size(); ++i) inner = relu(units_[i](inner, training, seen));
    inner = units_.back()(inner, training, seen);
    return relu(inner.add(shortcut_ ? (*shortcut_)(in, training, seen) : in));
  }

 private:
  bool relu_layers_;
  std::vector<Unit> units_;
  std::optional<Unit> shortcut_;
};

struct Stage {
  std::int64_t width, stride, blocks;
};

struct Plan {
  Family family;
  std::int64_t stem_width, stem_kernel, stem_stride;
  bool max_pool;
  bool bottleneck;
  std::vector<Stage> stages;
};

/// A stem, stages of blocks, global average pooling.
class ResNet final : public StagedBackbone {
 public:
  ResNet(const Scope& scope, std::int64_t in_channels, const Plan& plan)
      : stem_(scope, "conv1", "bn1", plan.family, in_channels, plan.stem_width, plan.stem_kernel, plan.stem_stride),
        max_pool_(plan.max_pool),
        relu_layers_(plan.family.relu_layers),
        width_(plan.stem_width) {
    std::int64_t layer = 0;
    for (const Stage& stage : plan.stages) {
      const Scope here = scope / fmt::format("layer{}", ++layer);
      std::vector<Block>& blocks = stages_.emplace_back();
      for (std::int64_t b = 0; b < stage.blocks; ++b) {
        blocks.emplace_back(here / b, plan.family, plan.bottleneck, width_, stage.width, b == 0 ? stage.stride : 1);
        width_ = stage.width * (plan.bottleneck ? 4 : 1);
      }
    }
  }

  std::int64_t stages() const override { return static_cast<std::int64_t>(stages_.size()) + 1; }

  at::Tensor pool(const at::Tensor& map) const override { return map.mean({2, 3}); }

  std::int64_t width() const override { return width_; }

 private:
  /// Stage 0 is the stem, with its max-pool where there is one: OpenOOD's first map.
  at::Tensor run_stage(const at::Tensor& in, std::int64_t stage, bool training, Layers* seen) const override {
    if (stage == 0) {
      at::Tensor x = stem_(in, training, seen).relu_();
      if (seen != nullptr && relu_layers_) seen->push_back(x);
      return max_pool_ ? at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}) : x;
    }
    at::Tensor x = in;
    for (const Block& block : stages_[static_cast<std::size_t>(stage - 1)]) x = block(x, training, seen);
    return x;
  }

  Unit stem_;
  bool max_pool_, relu_layers_;
  std::int64_t width_;
  std::vector<std::vector<Block>> stages_;
};

std::unique_ptr<Backbone> torchvision_resnet(const Scope& scope, std::int64_t in_channels, bool bottleneck,
                                             std::array<std::int64_t, 4> blocks) {
  Plan plan{kTorchvision, 64, 7, 2, true, bottleneck, {}};
  for (std::size_t i = 0; i < blocks.size(); ++i) plan.stages.push_back({64 << i, i == 0 ? 1 : 2, blocks[i]});
  return std::make_unique<ResNet>(scope, in_channels, plan);
}

}  // namespace

std::unique_ptr<Backbone> build_resnet8(const Scope& scope, std::int64_t in_channels) {
  // 28x28 on a CPU: a strided stem quarters the work (docs: the quickstart's recipe).
  const Plan plan{kPyTorchDefaults, 16, 3, 2, false, false, {{16, 1, 1}, {32, 2, 1}, {64, 2, 1}}};
  return std::make_unique<ResNet>(scope, in_channels, plan);
}

std::unique_ptr<Backbone> build_resnet18_small(const Scope& scope, std::int64_t in_channels) {
  // OpenOOD pools 64x64 images by a window of 8x8, which is their whole map: 32x32 and 64x64 differ in nothing.
  const Plan plan{kPyTorchDefaults, 64, 3, 1, false, false, {{64, 1, 2}, {128, 2, 2}, {256, 2, 2}, {512, 2, 2}}};
  return std::make_unique<ResNet>(scope, in_channels, plan);
}

std::unique_ptr<Backbone> build_resnet18(const Scope& scope, std::int64_t in_channels) {
  return torchvision_resnet(scope, in_channels, false, {2, 2, 2, 2});
}

std::unique_ptr<Backbone> build_resnet34(const Scope& scope, std::int64_t in_channels) {
  return torchvision_resnet(scope, in_channels, false, {3, 4, 6, 3});
}

std::unique_ptr<Backbone> build_resnet50(const Scope& scope, std::int64_t in_channels) {
  return torchvision_resnet(scope, in_channels, true, {3, 4, 6, 3});
}

std::unique_ptr<Backbone> build_resnet101(const Scope& scope, std::int64_t in_channels) {
  return torchvision_resnet(scope, in_channels, true, {3, 4, 23, 3});
}

}  // namespace nearfar
