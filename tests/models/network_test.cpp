#include "models/network.h"

#include "base/error.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>

namespace nearfar {
namespace {

NetworkSpec classifier() { return {"resnet8", 1, 28, 28, 6, HeadKind::linear, "mlp", 32}; }

NetworkSpec projection(const std::string& kind) { return {"resnet8", 3, 32, 32, 6, HeadKind::embedding, kind, 16}; }

TEST(Network, HasTheShapesItsSpecAsksFor) {
  const auto network = make_network(classifier(), 1);
  const EvalScope scope(*network);
  const at::Tensor features = network->features(at::randn({5, 1, 28, 28}));
  EXPECT_EQ(features.sizes(), (std::vector<std::int64_t>{5, 64}));
  EXPECT_EQ(network->feature_dim(), 64);
  EXPECT_EQ(network->output(features).sizes(), (std::vector<std::int64_t>{5, 6}));
  EXPECT_EQ(network->output_dim(), 6);
  EXPECT_EQ(network->head().weight.sizes(), (std::vector<std::int64_t>{6, 64}));
  EXPECT_EQ(network->head().bias.sizes(), (std::vector<std::int64_t>{6}));
}

TEST(Network, ProjectsToAnEmbedding) {
  for (const char* kind : {"linear", "mlp"}) {
    const auto network = make_network(projection(kind), 1);
    const EvalScope scope(*network);
    EXPECT_EQ(network->output(network->features(at::randn({2, 3, 32, 32}))).sizes(), (std::vector<std::int64_t>{2, 16}))
        << kind;
    EXPECT_FALSE(network->has_classifier());
    EXPECT_THROW(network->head(), Error);
  }
}

TEST(Network, HasTheParametersCountedByHand) {
  // stem 16*9 + 2*16; block 1: 2*16*16*9 + 4*16; block 2: 32*16*9 + 32*32*9 + 4*32 + shortcut 32*16 + 2*32;
  // block 3: 64*32*9 + 64*64*9 + 4*64 + shortcut 64*32 + 2*64; head 64*6 + 6
  std::int64_t count = 0;
  for (const NamedTensor& named : make_network(classifier(), 1)->named_tensors())
    count += named.parameter ? named.tensor.numel() : 0;
  EXPECT_EQ(count, 176 + 4672 + 14528 + 57728 + 390);
}

TEST(Network, WeightsDependOnTheSeedAlone) {
  const auto a = make_network(classifier(), 7);
  at::randn({100});  // the global generator is not theirs
  const auto b = make_network(classifier(), 7), c = make_network(classifier(), 8);
  bool differs = false;
  for (std::size_t i = 0; i < a->named_tensors().size(); ++i) {
    EXPECT_TRUE(at::equal(a->named_tensors()[i].tensor, b->named_tensors()[i].tensor)) << a->named_tensors()[i].name;
    differs = differs || !at::equal(a->named_tensors()[i].tensor, c->named_tensors()[i].tensor);
  }
  EXPECT_TRUE(differs);
}

TEST(Network, DrawsWithinPyTorchsDefaultBounds) {
  const auto network = make_network(classifier(), 3);
  for (const NamedTensor& named : network->named_tensors()) {
    if (named.name != "backbone.layer3.0.conv2.weight") continue;
    const double bound = 1 / std::sqrt(64 * 9.0);  // fan_in = 64 channels x 3 x 3
    EXPECT_LE(named.tensor.abs().max().item<double>(), bound);
    EXPECT_NEAR(named.tensor.detach().std().item<double>(), bound / std::sqrt(3.0), bound * 0.02);
  }
}

TEST(Network, ScoresAnImageAloneAsInABatch) {
  const auto network = make_network(classifier(), 1);
  const EvalScope scope(*network);
  const at::Tensor images = at::randn({4, 1, 28, 28});
  const at::Tensor together = network->features(images);
  // A kernel may sum in another order for another batch size: a few units in the last place.
  EXPECT_TRUE(network->features(images.narrow(0, 2, 1)).allclose(together.narrow(0, 2, 1), 1e-5, 1e-6));
}

TEST(Network, ACopyInFloat64IsAsNearAsFloat32Allows) {
  for (const std::string& name : architectures()) {
    if (name == "wrn_28_10" || name == "resnet101") continue;  // wrn_40_2 and resnet50 are the same code, and smaller
    // These two take their own size only; elsewhere small images will do.
    const std::int64_t size = name == "vit_b_16" || name == "resnet18_64x64" ? native_image_size(name) : 32;
    const auto network =
        make_network({.architecture = name, .in_channels = 3, .height = size, .width = size, .classes = 4}, 5);
    const auto copy = network->in_float64();
    const EvalScope scope(*network);
    const at::Tensor images = at::randn({1, 3, size, size});
    const at::Tensor features = network->features(images), exact = copy->features(images.to(at::kDouble));
    EXPECT_EQ(exact.scalar_type(), at::kDouble) << name;
    EXPECT_TRUE(exact.allclose(features.to(at::kDouble), 1e-3, 1e-4)) << name;
    EXPECT_FALSE(at::equal(exact, features.to(at::kDouble))) << name;
    EXPECT_EQ(copy->output(exact).scalar_type(), at::kDouble) << name;
  }
}

TEST(Network, ACopyInFloat64SharesNoMemory) {
  const auto network = make_network(classifier(), 5), copy = network->in_float64();
  const at::Tensor images = at::randn({2, 1, 28, 28}, at::kDouble), before = copy->features(images);
  const EvalScope scope(*network);
  for (const NamedTensor& named : network->named_tensors()) named.tensor.zero_();
  EXPECT_TRUE(at::equal(copy->features(images), before));
}

TEST(Network, RefusesAnUnknownNameWithASuggestion) {
  NetworkSpec spec = classifier();
  spec.architecture = "resnet9";
  try {
    make_network(spec, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("did you mean 'resnet8'"), std::string::npos) << error.what();
  }
  spec = projection("mpl");
  EXPECT_THROW(make_network(spec, 0), Error);
  spec = classifier();
  spec.classes = 0;
  EXPECT_THROW(make_network(spec, 0), Error);
}

TEST(LoadTensors, NamesWhatIsMissingUnexpectedAndMisshapen) {
  const auto network = make_network(classifier(), 1);
  std::vector<NamedTensor> tensors = network->named_tensors();
  tensors[0].name = "stranger";
  tensors.back().tensor = at::arange(3);
  try {
    load_tensors(*network, tensors, "weights.file");
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const char* part :
         {"weights.file", "missing 1 (backbone.conv1.weight)", "unexpected 1 (stranger)", "wrong shape 1 ("}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
}

TEST(EvalScope, RestoresModeAndGradients) {
  const auto network = make_network(classifier(), 1);
  EXPECT_TRUE(network->is_training());
  {
    const EvalScope scope(*network);
    EXPECT_FALSE(network->is_training());
    EXPECT_FALSE(c10::GradMode::is_enabled());
  }
  EXPECT_TRUE(network->is_training());
  EXPECT_TRUE(c10::GradMode::is_enabled());
}

}  // namespace
}  // namespace nearfar
