/// Networks against PyTorch's and torchvision's own: names, shapes, and what they compute (tools/make_model_golden.py).
#include "base/text.h"
#include "models/formula.h"
#include "models/import.h"
#include "models/network.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

namespace nearfar {
namespace {

using testing::formula_tensor;

const nlohmann::json& golden_networks() {
  static const nlohmann::json networks = [] {
    std::ifstream stream(testing::source_dir() / "tests/golden/models/networks.json");
    return nlohmann::json::parse(stream);
  }();
  return networks;
}

/// The state dict of the golden network `name`, filled by the formula.
std::vector<NamedTensor> foreign_tensors(const std::string& name) {
  std::vector<NamedTensor> tensors;
  for (const auto& [tensor, sizes] : golden_networks().at(name).at("tensors").items()) {
    const auto shape = sizes.get<std::vector<std::int64_t>>();
    if (tensor.ends_with(".*")) {  // a batch norm
      const std::string norm = tensor.substr(0, tensor.size() - 1);
      for (const char* part : {"weight", "bias", "running_mean", "running_var"}) {
        tensors.push_back({norm + part, formula_tensor(norm + part, shape), false});
      }
      tensors.push_back({norm + "num_batches_tracked", at::zeros({}, at::kLong), false});
      continue;
    }
    const bool integers = tensor.ends_with("num_batches_tracked") || tensor.ends_with("relative_position_index");
    tensors.push_back({tensor, integers ? at::zeros(shape, at::kLong) : formula_tensor(tensor, shape), false});
  }
  return tensors;
}

ImportOptions options_for(const std::string& architecture) {
  ImportOptions options;
  options.architecture = architecture;
  options.mappings = testing::source_dir() / "configs/models";
  return options;
}

/// Relative to the largest value: single features of 0.0001 are the difference of large numbers.
void expect_close(const std::vector<double>& got, const std::vector<double>& expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  double scale = 0;
  for (const double value : expected) scale = std::max(scale, std::abs(value));
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5 * scale) << what << " " << i;
}

std::vector<double> numbers(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().to(at::kDouble).contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

void expect_golden(Network& network, const std::string& name) {
  const nlohmann::json& golden = golden_networks().at(name);
  const EvalScope scope(network);
  const at::Tensor features =
      network.features(formula_tensor("input", golden.at("input").get<std::vector<std::int64_t>>()));
  expect_close(numbers(features[0].slice(0, 0, 8)), golden.at("features_head").get<std::vector<double>>(),
               name + " features");
  expect_close({features.to(at::kDouble).sum().item<double>(), features.to(at::kDouble).abs().sum().item<double>()},
               {golden.at("features_sum").get<double>(), golden.at("features_abs").get<double>()}, name + " sums");
  std::vector<double> logits;
  for (const auto& row : golden.at("logits")) {
    for (const double value : row) logits.push_back(value);
  }
  expect_close(numbers(network.output(features).flatten()), logits, name + " logits");
}

std::string architecture_of(const std::string& name) { return golden_networks().at(name).at("architecture"); }

class Golden : public ::testing::TestWithParam<const char*> {};

TEST_P(Golden, ComputesWhatPyTorchComputes) {
  const std::string name = GetParam();
  const auto network = network_of(import_tensors(foreign_tensors(name), name, options_for(architecture_of(name))));
  expect_golden(*network, name);
  if (name == "swin_t") expect_golden(*network, "swin_t odd");
}

INSTANTIATE_TEST_SUITE_P(Networks, Golden,
                         ::testing::Values("resnet18_32x32", "resnet18_224x224", "resnet34", "resnet50", "resnet101",
                                           "wrn_40_2", "wrn_28_10", "densenet121", "convnext_tiny", "vit_b_16",
                                           "vit_b_16 timm", "swin_t"),
                         [](const auto& one) { return replace_all(one.param, " ", "_"); });

TEST(Architectures, SmallResNetsDifferInTheSizeOfImagesOnly) {
  const auto network =
      network_of(import_tensors(foreign_tensors("resnet18_32x32"), "weights", options_for("resnet18_64x64")));
  EXPECT_EQ(network->spec().height, 64);
  expect_golden(*network, "resnet18_64x64");
}

TEST(Architectures, HaveTheParametersThatPapersAndLibrariesCount) {
  // With 1000 classes: torchvision's own counts. The small ResNet-18 with 10: 11,173,962.
  const std::map<std::string, std::pair<std::int64_t, std::int64_t>> expected{
      {"resnet18_32x32", {10, 11173962}},  {"resnet18_64x64", {10, 11173962}}, {"resnet18_224x224", {1000, 11689512}},
      {"resnet34", {1000, 21797672}},      {"resnet50", {1000, 25557032}},     {"resnet101", {1000, 44549160}},
      {"wrn_40_2", {10, 2243546}},         {"wrn_28_10", {10, 36479194}},      {"densenet121", {1000, 7978856}},
      {"convnext_tiny", {1000, 28589128}}, {"vit_b_16", {1000, 86567656}},     {"swin_t", {1000, 28288354}}};
  const std::map<std::string, std::int64_t> widths{{"resnet50", 2048}, {"resnet101", 2048},   {"wrn_40_2", 128},
                                                   {"wrn_28_10", 640}, {"densenet121", 1024}, {"convnext_tiny", 768},
                                                   {"vit_b_16", 768},  {"swin_t", 768}};
  for (const auto& [name, row] : expected) {
    NetworkSpec spec{.architecture = name, .in_channels = 3, .classes = row.first};
    spec.height = spec.width = native_image_size(name);
    const auto network = make_shape_network(spec);
    std::int64_t count = 0;
    for (const NamedTensor& named : network->named_tensors()) count += named.parameter ? named.tensor.numel() : 0;
    EXPECT_EQ(count, row.second) << name;
    EXPECT_EQ(network->feature_dim(), widths.contains(name) ? widths.at(name) : 512) << name;
  }
}

/// Standard deviation and largest magnitude of tensors of a new network.
struct Spread {
  double deviation, most;
};
std::map<std::string, Spread> spreads(const std::string& architecture) {
  NetworkSpec spec{.architecture = architecture, .in_channels = 3, .classes = 7};
  spec.height = spec.width = native_image_size(architecture);
  std::map<std::string, Spread> result;
  for (const NamedTensor& named : make_network(spec, 5)->named_tensors()) {
    if (!named.parameter) continue;
    const at::Tensor values = named.tensor.detach();
    result[named.name] = {values.numel() > 1 ? values.std().item<double>() : 0, values.abs().max().item<double>()};
  }
  return result;
}

TEST(Architectures, StartFromTheOriginalsDistributions) {
  // He's normal by fan out: sqrt(2 / (512 * 9))
  EXPECT_NEAR(spreads("resnet18_224x224").at("backbone.layer4.1.conv2.weight").deviation, std::sqrt(2 / 4608.0), 1e-4);
  const auto swin = spreads("swin_t");
  for (const char* name : {"backbone.features.5.1.attn.qkv.weight", "head.weight"})
    EXPECT_NEAR(swin.at(name).deviation, 0.02, 1e-3) << name;
  EXPECT_EQ(swin.at("head.bias").most, 0);
  const auto wide = spreads("wrn_40_2");
  EXPECT_NEAR(wide.at("backbone.block3.layer.5.conv2.weight").deviation, std::sqrt(2 / (128 * 9.0)), 1e-3);  // fan out
  EXPECT_NEAR(wide.at("head.weight").most, 1 / std::sqrt(128.0), 1e-3);  // uniform within 1/sqrt(fan in)
  EXPECT_EQ(wide.at("head.bias").most, 0);
  const auto dense = spreads("densenet121");
  // He's normal by fan in: 3 x 3 x 128 comes into 32
  EXPECT_NEAR(dense.at("backbone.features.denseblock4.denselayer9.conv2.weight").deviation, std::sqrt(2 / 1152.0),
              1e-3);
  EXPECT_EQ(dense.at("head.bias").most, 0);
  const auto convnext = spreads("convnext_tiny");
  EXPECT_NEAR(convnext.at("backbone.features.5.3.block.0.weight").deviation, 0.02, 1e-3);
  EXPECT_NEAR(convnext.at("backbone.features.5.3.block.3.weight").deviation, 0.02, 1e-3);
  EXPECT_FLOAT_EQ(static_cast<float>(convnext.at("backbone.features.7.2.layer_scale").most), 1e-6f);
  EXPECT_EQ(convnext.at("backbone.features.7.2.block.0.bias").most, 0);
}

TEST(Architectures, TrainWithGradientsEverywhere) {
  for (const std::string name : {"swin_t", "wrn_40_2", "densenet121", "convnext_tiny", "resnet34"}) {
    NetworkSpec spec{.architecture = name, .in_channels = 3, .height = 32, .width = 32, .classes = 3};
    const auto network = make_network(spec, 1);
    network->output(network->features(formula_tensor("input", {2, 3, 32, 32}))).square().sum().backward();
    for (const NamedTensor& named : network->named_tensors()) {
      if (named.parameter) {
        EXPECT_TRUE(named.tensor.grad().defined()) << name << " " << named.name;
      } else if (named.name.ends_with("num_batches_tracked")) {
        EXPECT_EQ(named.tensor.item<std::int64_t>(), 1) << name << " " << named.name;
      }
    }
  }
}

TEST(Architectures, StagesChainToTheFeatureAndShowTheirLayers) {
  struct Expected {
    std::vector<std::int64_t> channels;
    std::size_t layers;  ///< convolutions, and activations that are layers there
  };
  // WRN-40-2: 1 + 3 * (6 * 2 + 1) convolutions, 3 * 6 * 2 + 1 activations. DenseNet-121: 1 + 58 * 2 + 3 of each.
  // ConvNeXt-Tiny: 1 + 18 + 3 convolutions; its activations are no ReLU.
  const std::map<std::string, Expected> expected{{"wrn_40_2", {{16, 32, 64, 128}, 40 + 37}},
                                                 {"densenet121", {{64, 128, 256, 512, 1024}, 120 + 120}},
                                                 {"convnext_tiny", {{96, 192, 384, 768, 768}, 22}},
                                                 {"resnet34", {{64, 64, 128, 256, 512}, 36 + 33}}};
  for (const auto& [name, row] : expected) {
    const auto network =
        make_network({.architecture = name, .in_channels = 3, .height = 32, .width = 32, .classes = 3}, 1);
    const EvalScope scope(*network);
    const at::Tensor images = formula_tensor("input", {1, 3, 32, 32});
    const at::Tensor features = network->features(images);
    Activations seen;
    EXPECT_TRUE(at::equal(network->features_seen(images, seen), features)) << name;
    EXPECT_EQ(seen.layers.size(), row.layers) << name;
    ASSERT_EQ(seen.stages.size(), row.channels.size()) << name;
    for (std::size_t i = 0; i < seen.stages.size(); ++i) {
      const auto stage = static_cast<std::int64_t>(i);
      EXPECT_EQ(seen.stages[i].size(1), row.channels[i]) << name << " stage " << i;
      EXPECT_TRUE(at::equal(network->map(images, stage), seen.stages[i])) << name << " stage " << i;
      EXPECT_TRUE(at::equal(network->features_from(seen.stages[i], stage), features)) << name << " stage " << i;
    }
  }
}

}  // namespace
}  // namespace nearfar
