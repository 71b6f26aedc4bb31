/// Networks against PyTorch's and torchvision's own: names, shapes, and what they compute (tools/make_model_golden.py).
#include "models/formula.h"
#include "models/import.h"
#include "models/network.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
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
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-4 * scale) << what << " " << i;
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

class Golden : public ::testing::TestWithParam<const char*> {};

TEST_P(Golden, ComputesWhatPyTorchComputes) {
  const std::string name = GetParam();
  const auto network = network_of(import_tensors(foreign_tensors(name), name, options_for(name)));
  expect_golden(*network, name);
  if (name == "swin_t") expect_golden(*network, "swin_t odd");
}

INSTANTIATE_TEST_SUITE_P(Networks, Golden,
                         ::testing::Values("resnet18_32x32", "resnet18_224x224", "resnet50", "vit_b_16", "swin_t"),
                         [](const auto& one) { return std::string(one.param); });

TEST(Architectures, SmallResNetsDifferInTheSizeOfImagesOnly) {
  const auto network =
      network_of(import_tensors(foreign_tensors("resnet18_32x32"), "weights", options_for("resnet18_64x64")));
  EXPECT_EQ(network->spec().height, 64);
  expect_golden(*network, "resnet18_64x64");
}

TEST(Architectures, HaveTheParametersThatPapersAndLibrariesCount) {
  // With 1000 classes: torchvision's own counts. The small ResNet-18 with 10: 11,173,962.
  const std::map<std::string, std::pair<std::int64_t, std::int64_t>> expected{
      {"resnet18_32x32", {10, 11173962}}, {"resnet18_64x64", {10, 11173962}}, {"resnet18_224x224", {1000, 11689512}},
      {"resnet50", {1000, 25557032}},     {"vit_b_16", {1000, 86567656}},     {"swin_t", {1000, 28288354}}};
  for (const auto& [name, row] : expected) {
    NetworkSpec spec{.architecture = name, .in_channels = 3, .classes = row.first};
    spec.height = spec.width = native_image_size(name);
    const auto network = make_shape_network(spec);
    std::int64_t count = 0;
    for (const NamedTensor& named : network->named_tensors()) count += named.parameter ? named.tensor.numel() : 0;
    EXPECT_EQ(count, row.second) << name;
    EXPECT_EQ(network->feature_dim(), name == "resnet50"                       ? 2048
                                      : name == "vit_b_16" || name == "swin_t" ? 768
                                                                               : 512)
        << name;
  }
}

TEST(Architectures, StartFromTorchvisionsDistributions) {
  NetworkSpec spec{.architecture = "resnet18_224x224", .in_channels = 3, .height = 224, .width = 224, .classes = 7};
  for (const NamedTensor& named : make_network(spec, 5)->named_tensors()) {
    // He's normal by fan out: sqrt(2 / (512 * 9))
    if (named.name == "backbone.layer4.1.conv2.weight") {
      EXPECT_NEAR(named.tensor.detach().std().item<double>(), std::sqrt(2 / 4608.0), 1e-4);
    }
  }
  spec.architecture = "swin_t";
  for (const NamedTensor& named : make_network(spec, 5)->named_tensors()) {
    if (named.name == "backbone.features.5.1.attn.qkv.weight" || named.name == "head.weight") {
      EXPECT_NEAR(named.tensor.detach().std().item<double>(), 0.02, 1e-3) << named.name;
    }
    if (named.name == "head.bias") {
      EXPECT_EQ(named.tensor.detach().abs().max().item<double>(), 0);
    }
  }
}

TEST(Architectures, TrainWithGradientsEverywhere) {
  NetworkSpec spec{.architecture = "swin_t", .in_channels = 3, .height = 32, .width = 32, .classes = 3};
  const auto network = make_network(spec, 1);
  network->output(network->features(formula_tensor("input", {2, 3, 32, 32}))).square().sum().backward();
  for (const NamedTensor& named : network->named_tensors()) {
    if (named.parameter) {
      EXPECT_TRUE(named.tensor.grad().defined()) << named.name;
    }
  }
}

}  // namespace
}  // namespace nearfar
