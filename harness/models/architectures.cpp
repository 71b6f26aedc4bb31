/// The networks themselves. The only file of this folder that includes <torch/…>.
#include "base/error.h"
#include "base/text.h"
#include "models/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <cmath>

namespace nearfar {
namespace {

namespace nn = torch::nn;

nn::Conv2d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

/// He et al. 2016, basic block: two 3x3 convolutions; the shortcut is a strided 1x1 convolution where the shape changes.
class BasicBlockImpl final : public nn::Module {
 public:
  BasicBlockImpl(std::int64_t in, std::int64_t out, std::int64_t stride) {
    conv1_ = register_module("conv1", convolution(in, out, 3, stride));
    bn1_ = register_module("bn1", nn::BatchNorm2d(out));
    conv2_ = register_module("conv2", convolution(out, out, 3, 1));
    bn2_ = register_module("bn2", nn::BatchNorm2d(out));
    if (in != out || stride != 1) {
      shortcut_ = register_module("shortcut", nn::Sequential(convolution(in, out, 1, stride), nn::BatchNorm2d(out)));
    }
  }

  at::Tensor forward(const at::Tensor& in) {
    const at::Tensor inner = bn2_(conv2_(bn1_(conv1_(in)).relu_()));
    return inner.add(shortcut_ ? shortcut_->forward(in) : in).relu_();
  }

 private:
  nn::Conv2d conv1_{nullptr}, conv2_{nullptr};
  nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr};
  nn::Sequential shortcut_{nullptr};
};
TORCH_MODULE(BasicBlock);

/// A stem, stages of basic blocks, global average pooling.
class ResNetImpl final : public nn::Module {
 public:
  struct Stage {
    std::int64_t width, stride, blocks;
  };

  ResNetImpl(std::int64_t in_channels, std::int64_t stem_width, std::int64_t stem_stride, const std::vector<Stage>& stages) {
    conv1_ = register_module("conv1", convolution(in_channels, stem_width, 3, stem_stride));
    bn1_ = register_module("bn1", nn::BatchNorm2d(stem_width));
    width_ = stem_width;
    for (const Stage& stage : stages) {
      nn::Sequential blocks;
      for (std::int64_t b = 0; b < stage.blocks; ++b) {
        blocks->push_back(BasicBlock(width_, stage.width, b == 0 ? stage.stride : 1));
        width_ = stage.width;
      }
      layers_.push_back(register_module(fmt::format("layer{}", layers_.size() + 1), blocks));
    }
  }

  at::Tensor forward(const at::Tensor& images) {
    at::Tensor x = bn1_(conv1_(images)).relu_();
    for (nn::Sequential& layer : layers_) x = layer->forward(x);
    return x.mean({2, 3});
  }

  std::int64_t width() const { return width_; }

 private:
  nn::Conv2d conv1_{nullptr};
  nn::BatchNorm2d bn1_{nullptr};
  std::vector<nn::Sequential> layers_;
  std::int64_t width_ = 0;
};
TORCH_MODULE(ResNet);

/// One row for each architecture.
struct Architecture {
  const char* name;
  ResNet (*build)(const NetworkSpec& spec);
};
constexpr Architecture kArchitectures[] = {
    // 28x28 on a CPU: a strided stem quarters the work (docs: the quickstart's recipe).
    {"resnet8",
     [](const NetworkSpec& spec) {
       return ResNet(spec.in_channels, 16, 2, std::vector<ResNetImpl::Stage>{{16, 1, 1}, {32, 2, 1}, {64, 2, 1}});
     }},
};

const Architecture& find_architecture(const std::string& name) {
  for (const Architecture& architecture : kArchitectures) {
    if (name == architecture.name) return architecture;
  }
  const std::vector<std::string> known = architectures();
  throw Error(ErrorKind::config, fmt::format("unknown architecture '{}'{}; known: {}", name, suggestion(name, known), join(known, ", ")));
}

class BackboneAndHead final : public Network {
 public:
  explicit BackboneAndHead(const NetworkSpec& spec) : spec_(spec), backbone_(find_architecture(spec.architecture).build(spec)) {
    const std::int64_t width = backbone_->width();
    if (spec.head == HeadKind::linear) {
      linear_ = nn::Linear(width, spec.classes);
    } else if (spec.projection == "linear") {
      linear_ = nn::Linear(width, spec.embedding_dim);
    } else {
      mlp_hidden_ = nn::Linear(width, width);
      linear_ = nn::Linear(width, spec.embedding_dim);
    }
  }

  at::Tensor features(const at::Tensor& images) override { return backbone_->forward(images.contiguous(at::MemoryFormat::ChannelsLast)); }

  at::Tensor output(const at::Tensor& features) override {
    return linear_->forward(mlp_hidden_ ? mlp_hidden_->forward(features).relu() : features);
  }

  std::vector<NamedTensor> named_tensors() override {
    std::vector<NamedTensor> all;
    for (const auto& [prefix, module] : modules()) {
      for (const auto& named : module->named_parameters()) all.push_back({prefix + named.key(), named.value(), true});
    }
    for (const auto& [prefix, module] : modules()) {
      for (const auto& named : module->named_buffers()) all.push_back({prefix + named.key(), named.value(), false});
    }
    return all;
  }

  void train(bool on) override {
    for (const auto& [prefix, module] : modules()) module->train(on);
  }
  bool is_training() const override { return backbone_->is_training(); }
  const NetworkSpec& spec() const override { return spec_; }
  std::int64_t feature_dim() const override { return backbone_->width(); }

  /// Every weight from `generator`, in module order; convolution kernels in channels-last memory, where CPU kernels are fastest.
  void initialize(const at::Generator& generator) {
    const c10::AutoGradMode no_gradients(false);
    for (const auto& [prefix, module] : modules()) {
      for (const auto& part : module->modules()) {
        if (const auto* conv = part->as<nn::Conv2d>()) {
          const at::Tensor& weight = conv->weight;
          draw(weight, weight.numel() / weight.size(0), generator);
          at::Tensor(weight).set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
        } else if (const auto* linear = part->as<nn::Linear>()) {
          draw(linear->weight, linear->weight.size(1), generator);
          draw(linear->bias, linear->weight.size(1), generator);
        }
      }
    }
  }

 private:
  static void draw(const at::Tensor& tensor, std::int64_t fan_in, const at::Generator& generator) {
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    tensor.uniform_(-bound, bound, generator);
  }

  std::vector<std::pair<std::string, std::shared_ptr<nn::Module>>> modules() const {
    std::vector<std::pair<std::string, std::shared_ptr<nn::Module>>> all{{"backbone.", backbone_.ptr()}};
    if (mlp_hidden_) {
      all.emplace_back("head.0.", mlp_hidden_.ptr());
      all.emplace_back("head.2.", linear_.ptr());
    } else {
      all.emplace_back("head.", linear_.ptr());
    }
    return all;
  }

  NetworkSpec spec_;
  ResNet backbone_{nullptr};
  nn::Linear mlp_hidden_{nullptr}, linear_{nullptr};
};

void check_spec(const NetworkSpec& spec) {
  const auto positive = [](const char* name, std::int64_t value) {
    if (value < 1) throw Error(ErrorKind::config, fmt::format("network: {} is {}, expected at least 1", name, value));
  };
  positive("in_channels", spec.in_channels);
  positive("height", spec.height);
  positive("width", spec.width);
  positive("classes", spec.classes);
  if (spec.head == HeadKind::linear) return;
  positive("embedding_dim", spec.embedding_dim);
  if (spec.projection != "linear" && spec.projection != "mlp") {
    const std::vector<std::string> known{"linear", "mlp"};
    throw Error(ErrorKind::config,
                fmt::format("unknown projection '{}'{}; known: linear, mlp", spec.projection, suggestion(spec.projection, known)));
  }
}

}  // namespace

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const Architecture& architecture : kArchitectures) names.emplace_back(architecture.name);
  return names;
}

std::unique_ptr<Network> make_network(const NetworkSpec& spec, std::uint64_t seed) {
  check_spec(spec);
  auto network = std::make_unique<BackboneAndHead>(spec);
  network->initialize(at::make_generator<at::CPUGeneratorImpl>(seed));
  return network;
}

}  // namespace nearfar
