/// The table of architectures, and the network that puts a head on one.
#include "base/error.h"
#include "base/text.h"
#include "models/backbone.h"
#include "models/layers.h"
#include "models/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <optional>

namespace nearfar {
namespace {

constexpr std::int64_t kAnySize = 1 << 14;
constexpr std::int64_t kMaxDimension = 1 << 20;

const Architecture kArchitectures[] = {
    {"resnet8", 28, 1, kAnySize, build_resnet8, std::nullopt},
    {"resnet18_32x32", 32, 1, kAnySize, build_resnet18_small, std::nullopt},
    {"resnet18_64x64", 64, 64, 64, build_resnet18_small, std::nullopt},
    {"resnet18_224x224", 224, 1, kAnySize, build_resnet18, std::nullopt},
    {"resnet34", 224, 1, kAnySize, build_resnet34, std::nullopt},
    {"resnet50", 224, 1, kAnySize, build_resnet50, std::nullopt},
    {"resnet101", 224, 1, kAnySize, build_resnet101, std::nullopt},
    {"wrn_40_2", 32, 1, kAnySize, build_wrn_40_2, Fill::layer_default(128)},
    {"wrn_28_10", 32, 1, kAnySize, build_wrn_28_10, Fill::layer_default(640)},
    {"densenet121", 224, 29, kAnySize, build_densenet121, Fill::layer_default(1024)},
    {"convnext_tiny", 224, 32, kAnySize, build_convnext_tiny, Fill::normal(0.02)},
    {"vit_b_16", 224, 224, 224, build_vit_b_16, Fill::constant(0)},
    {"swin_t", 224, 4, kAnySize, build_swin_t, Fill::normal(0.02)},
};

class BackboneAndHead final : public Network {
 public:
  BackboneAndHead(const NetworkSpec& spec, at::Device device) : spec_(spec), state_(device) {
    const Architecture& architecture = find_architecture(spec.architecture);
    backbone_ = architecture.build(Scope(state_, "backbone."), spec.in_channels);
    const std::int64_t width = backbone_->width();
    const Fill initial = Fill::layer_default(width);
    const Scope head(state_, "head.");
    if (spec.head == HeadKind::linear) {
      const bool own = architecture.head_weight.has_value();
      linear_ = Linear(head, width, spec.classes, own ? *architecture.head_weight : initial,
                       own ? Fill::constant(0) : initial);
    } else if (spec.projection == "linear") {
      linear_ = Linear(head, width, spec.embedding_dim, initial, initial);
    } else {
      hidden_ = Linear(head / 0, width, width, initial, initial);
      linear_ = Linear(head / 2, width, spec.embedding_dim, initial, initial);
    }
  }

  at::Tensor features(const at::Tensor& images) override {
    return backbone_->forward(images.contiguous(at::MemoryFormat::ChannelsLast), training_);
  }

  std::int64_t stages() const override { return backbone_->stages(); }
  at::Tensor features_seen(const at::Tensor& images, Activations& seen) override {
    require_maps();
    return backbone_->pool(
        backbone_->run_stages(images.contiguous(at::MemoryFormat::ChannelsLast), 0, stages(), &seen));
  }
  at::Tensor map(const at::Tensor& images, std::int64_t stage) override {
    require_maps();
    NEARFAR_ASSERT(0 <= stage && stage < stages());
    return backbone_->run_stages(images.contiguous(at::MemoryFormat::ChannelsLast), 0, stage + 1, nullptr);
  }
  at::Tensor features_from(const at::Tensor& map, std::int64_t stage) override {
    require_maps();
    NEARFAR_ASSERT(0 <= stage && stage < stages());
    return backbone_->pool(
        backbone_->run_stages(map.contiguous(at::MemoryFormat::ChannelsLast), stage + 1, stages(), nullptr));
  }

  at::Tensor output(const at::Tensor& features) override {
    return linear_(hidden_ ? (*hidden_)(features).relu() : features);
  }

  std::vector<NamedTensor> named_tensors() override { return state_.named(); }
  void train(bool on) override { training_ = on; }
  bool is_training() const override { return training_; }
  const NetworkSpec& spec() const override { return spec_; }
  at::Device device() const override { return state_.device(); }
  std::int64_t feature_dim() const override { return backbone_->width(); }

  State& state() { return state_; }

 private:
  void require_maps() const {
    NEARFAR_ASSERT(!training_);
    if (stages() == 0)
      throw Error(ErrorKind::config,
                  fmt::format("{} has no feature maps to show; ResNets, WRNs, DenseNets and ConvNeXts have",
                              spec_.architecture));
  }

  NetworkSpec spec_;
  State state_;
  std::unique_ptr<Backbone> backbone_;
  std::optional<Linear> hidden_;
  Linear linear_;
  bool training_ = true;
};

void check_images(const NetworkSpec& spec) {
  const Architecture& architecture = find_architecture(spec.architecture);
  for (const std::int64_t side : {spec.height, spec.width}) {
    if (side >= architecture.minimum && side <= architecture.maximum) continue;
    const std::string takes = architecture.minimum == architecture.maximum
                                  ? fmt::format("{0} x {0} only", architecture.size)
                                  : fmt::format("sides from {} to {}", architecture.minimum, architecture.maximum);
    throw Error(ErrorKind::config, fmt::format("network: {} takes images of {}, these are {} x {} (height x width)",
                                               spec.architecture, takes, spec.height, spec.width));
  }
}

void check_spec(const NetworkSpec& spec) {
  const auto in_range = [](const char* name, std::int64_t value, std::int64_t minimum) {
    if (value < minimum)
      throw Error(ErrorKind::config, fmt::format("network: {} is {}, expected at least {}", name, value, minimum));
    if (value > kMaxDimension) {
      throw Error(ErrorKind::config, fmt::format("network: {} is {}, expected at most {}", name, value, kMaxDimension));
    }
  };
  const bool linear = spec.head == HeadKind::linear;
  in_range("in_channels", spec.in_channels, 1);
  in_range("height", spec.height, 1);
  in_range("width", spec.width, 1);
  in_range("classes", spec.classes, linear ? 1 : 0);
  check_images(spec);
  if (linear) return;
  in_range("embedding_dim", spec.embedding_dim, 1);
  if (spec.projection != "linear" && spec.projection != "mlp") {
    const std::vector<std::string> known{"linear", "mlp"};
    throw Error(ErrorKind::config, fmt::format("unknown projection '{}'{}; known: linear, mlp", spec.projection,
                                               suggestion(spec.projection, known)));
  }
}

std::unique_ptr<BackboneAndHead> build(const NetworkSpec& spec, at::Device device) {
  check_spec(spec);
  return std::make_unique<BackboneAndHead>(spec, device);
}

}  // namespace

std::span<const Architecture> architecture_table() { return kArchitectures; }

const Architecture& find_architecture(const std::string& name) {
  for (const Architecture& architecture : kArchitectures) {
    if (name == architecture.name) return architecture;
  }
  const std::vector<std::string> known = architectures();
  throw Error(ErrorKind::config,
              fmt::format("unknown architecture '{}'{}; known: {}", name, suggestion(name, known), join(known, ", ")));
}

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const Architecture& architecture : kArchitectures) names.emplace_back(architecture.name);
  return names;
}

std::int64_t native_image_size(const std::string& architecture) { return find_architecture(architecture).size; }

std::int64_t architecture_stages(const std::string& architecture) {
  const std::int64_t size = native_image_size(architecture);
  return make_shape_network(
             {.architecture = architecture, .in_channels = 1, .height = size, .width = size, .classes = 1})
      ->stages();
}

std::unique_ptr<Network> make_network(const NetworkSpec& spec, std::uint64_t seed, at::Device device) {
  auto drawn = build(spec, at::kCPU);
  drawn->state().draw(at::make_generator<at::CPUGeneratorImpl>(seed));
  drawn->state().channels_last(true);
  if (device.is_cpu()) return drawn;
  auto network = make_empty_network(spec, device);
  load_tensors(*network, drawn->named_tensors(), "new weights");
  return network;
}

std::unique_ptr<Network> make_empty_network(const NetworkSpec& spec, at::Device device) {
  auto network = build(spec, device);
  network->state().channels_last(false);
  return network;
}

std::unique_ptr<Network> make_shape_network(const NetworkSpec& spec) { return build(spec, at::kMeta); }

}  // namespace nearfar
