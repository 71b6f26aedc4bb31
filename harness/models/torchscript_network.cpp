#include "models/torchscript_network.h"

#include "base/error.h"
#include "models/mismatch.h"

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/script.h>

namespace nearfar {
namespace {

class Script final : public TorchScriptNetwork {
 public:
  Script(torch::jit::Module module, std::string file, NetworkSpec spec, at::Device device)
      : module_(std::move(module)), file_(std::move(file)), spec_(std::move(spec)), device_(device) {
    module_.eval();
    for (const at::Tensor& parameter : module_.parameters()) parameter.set_requires_grad(false);
  }

  /// Widths, by an image of zeros.
  void measure(at::ScalarType type) {
    const c10::AutoGradMode none(false);
    const at::Tensor images =
        at::zeros({1, spec_.in_channels, spec_.height, spec_.width}, at::TensorOptions(type).device(device_));
    feature_dim_ = features(images).size(1);
    spec_.classes = logits_.size(1);
  }

  at::Tensor features(const at::Tensor& images) override {
    const c10::IValue result = forward(images);
    if (result.isTensor()) {
      logits_ = features_ = checked(result.toTensor(), images.size(0), "logits");
      return features_;
    }
    if (!result.isTuple() || result.toTupleRef().elements().size() != 2 ||
        !result.toTupleRef().elements()[0].isTensor() || !result.toTupleRef().elements()[1].isTensor()) {
      fail(fmt::format("forward returns {}, expected logits [N,C], or a tuple of logits and features [N,D]",
                       result.tagKind()));
    }
    logits_ = checked(result.toTupleRef().elements()[0].toTensor(), images.size(0), "logits");
    features_ = checked(result.toTupleRef().elements()[1].toTensor(), images.size(0), "features");
    has_features_ = true;
    return features_;
  }

  at::Tensor output(const at::Tensor& features) override {
    if (!features.is_same(features_)) fail("its logits are known of the features that it gave last, and of no others");
    return logits_;
  }

  std::int64_t stages() const override { return 0; }
  at::Tensor features_seen(const at::Tensor&, Activations&) override { no_maps(); }
  at::Tensor map(const at::Tensor&, std::int64_t) override { no_maps(); }
  at::Tensor features_from(const at::Tensor&, std::int64_t) override { no_maps(); }

  std::vector<NamedTensor> named_tensors() override {
    std::vector<NamedTensor> all;
    for (const auto& named : module_.named_parameters()) all.push_back({"backbone." + named.name, named.value, true});
    for (const auto& named : module_.named_buffers()) all.push_back({"backbone." + named.name, named.value, false});
    return all;
  }
  void train(bool on) override { training_ = on; }  // of ours: the module stays in evaluation mode
  bool is_training() const override { return training_; }
  const NetworkSpec& spec() const override { return spec_; }
  at::Device device() const override { return device_; }
  std::int64_t feature_dim() const override { return feature_dim_; }
  bool has_head_weights() const override { return false; }
  bool has_features() const override { return has_features_; }

  std::unique_ptr<Network> in_float64() override {
    torch::jit::Module copy = module_.deepcopy();
    copy.to(at::kDouble);
    auto network = std::make_unique<Script>(std::move(copy), file_, spec_, device_);
    try {
      network->measure(at::kDouble);
    } catch (const Error& error) {
      throw Error(ErrorKind::config, fmt::format("there is no float64 copy of this TorchScript: {}", error.what()));
    }
    return network;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, fmt::format("{}: {}", file_, what));
  }
  [[noreturn]] void no_maps() const {
    throw Error(ErrorKind::config, fmt::format("{}: TorchScript has no maps to show", file_));
  }

  c10::IValue forward(const at::Tensor& images) {
    try {
      return module_.forward({images});
    } catch (const c10::Error& error) {
      fail(fmt::format("forward failed: {}", printable(error.what_without_backtrace())));
    } catch (const std::exception& error) {
      fail(fmt::format("forward failed: {}", printable(error.what())));
    }
  }

  at::Tensor checked(const at::Tensor& tensor, std::int64_t rows, const char* what) const {
    const bool wide = tensor.dim() == 2 && tensor.size(0) == rows && tensor.size(1) > 0 && tensor.is_floating_point();
    if (!wide) fail(fmt::format("forward gives {} {}, expected {} rows", what, shape_text(tensor), rows));
    return tensor;
  }

  torch::jit::Module module_;
  std::string file_;
  NetworkSpec spec_;
  at::Device device_;
  std::int64_t feature_dim_ = 0;
  bool has_features_ = false, training_ = false;
  at::Tensor features_, logits_;  ///< of the last images
};

}  // namespace

std::unique_ptr<TorchScriptNetwork> open_torchscript(const std::filesystem::path& file, std::int64_t channels,
                                                     std::int64_t height, std::int64_t width, at::Device device) {
  const NetworkSpec spec{.architecture = "torchscript", .in_channels = channels, .height = height, .width = width};
  try {
    auto network = std::make_unique<Script>(torch::jit::load(file.string(), device), file.string(), spec, device);
    network->measure(at::kFloat);
    return network;
  } catch (const c10::Error& error) {
    throw Error(ErrorKind::data, fmt::format("{}: not a TorchScript file that can be read: {}", file.string(),
                                             printable(error.what_without_backtrace())));
  }
}

}  // namespace nearfar
