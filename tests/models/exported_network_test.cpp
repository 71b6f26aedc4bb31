/// Networks that Python exported against what PyTorch computed with them (tools/make_export_golden.py).
#include "models/exported/exported_network.h"

#include "base/error.h"
#include "base/npy.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

fs::path golden(const std::string& name) { return testing::golden("exported/" + name).value(); }

at::Tensor array(const std::string& name) {
  const NpyArray file(golden(name));
  at::Tensor tensor = at::empty(file.shape(), at::kFloat);
  std::memcpy(tensor.mutable_data_ptr(), file.bytes().data(), file.bytes().size());
  return tensor;
}

double difference(const at::Tensor& a, const at::Tensor& b) { return a.sub(b).abs().max().item<double>(); }

at::Tensor logits(Network& network, const at::Tensor& images) { return network.output(network.features(images)); }

std::string message(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

using ::testing::AllOf;
using ::testing::HasSubstr;

class Families : public ::testing::TestWithParam<const char*> {};

TEST_P(Families, ComputesThePythonLogitsAndInputGradients) {
  const std::string name = GetParam();
  const auto network = open_exported(golden(name + ".pt2"));
  const at::Tensor inputs = array("inputs.npy"), expected = array(name + ".logits.npy"),
                   gradients = array(name + ".grad.npy");
  std::int64_t first = 0;
  for (const std::int64_t batch : {7, 1}) {
    const at::Tensor images = inputs.narrow(0, 0, batch).clone().set_requires_grad(true);
    const at::Tensor found = logits(*network, images);
    EXPECT_LE(difference(found, expected.narrow(0, first, batch)), 1e-5) << "batch " << batch;
    found.logsumexp(1).sum().backward();
    EXPECT_LE(difference(images.grad(), gradients.narrow(0, first, batch)), 1e-5) << "batch " << batch;
    first += batch;
  }
}

TEST_P(Families, LogitsAreTheHeadOfTheFeature) {
  const auto network = open_exported(golden(std::string(GetParam()) + ".pt2"));
  ASSERT_TRUE(network->has_head_weights());
  const HeadWeights head = network->head();
  const at::Tensor features = network->features(array("inputs.npy"));
  EXPECT_EQ(features.sizes(), (std::vector<std::int64_t>{7, network->feature_dim()}));
  EXPECT_LE(difference(features.matmul(head.weight.t()).add(head.bias), network->output(features)), 1e-5);
}

TEST_P(Families, TheFloat64CopyAgrees) {
  const auto network = open_exported(golden(std::string(GetParam()) + ".pt2"));
  const at::Tensor inputs = array("inputs.npy");
  const at::Tensor copied = logits(*network->in_float64(), inputs.to(at::kDouble));
  ASSERT_EQ(copied.scalar_type(), at::kDouble);
  EXPECT_LE(difference(copied, logits(*network, inputs)), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, Families,
                         ::testing::Values("resnet", "resnext", "vit", "swin", "convnext", "regnet", "densenet",
                                           "mobilenet", "efficientnet", "maxvit"),
                         [](const auto& family) { return std::string(family.param); });

/// The corner of the inputs that the tiny networks take.
at::Tensor small_images() { return array("inputs.npy").narrow(2, 0, 8).narrow(3, 0, 8).contiguous(); }

std::unique_ptr<ExportedNetwork> tiny(const std::string& form, const ExportOptions& options = {}) {
  return open_exported(golden("tiny-" + form + ".pt2"), options);
}

TEST(Exported, RunsEveryFormThatIsAFunction) {
  for (const std::string form : {"plain", "views", "skip", "convhead", "fixed", "any-size", "decomposed"}) {
    const auto network = tiny(form);
    EXPECT_LE(difference(logits(*network, small_images()), array("tiny-" + form + ".logits.npy")), 1e-5) << form;
    EXPECT_EQ(network->has_head_weights(), form != "convhead") << form;
  }
}

TEST(Exported, AFixedBatchIsFilledUpForGradientsToo) {
  // Exported for four images: seven are four and three, one is one and three zeros.
  const auto fixed = tiny("fixed"), any = tiny("plain");
  EXPECT_EQ(fixed->description().batch, 4);
  for (const std::int64_t count : {7, 4, 1}) {
    const at::Tensor a = small_images().narrow(0, 0, count).clone().set_requires_grad(true);
    const at::Tensor b = a.detach().clone().set_requires_grad(true);
    logits(*fixed, a).logsumexp(1).sum().backward();
    logits(*any, b).logsumexp(1).sum().backward();
    EXPECT_LE(difference(a.grad(), b.grad()), 1e-6) << count;
    EXPECT_GT(a.grad().abs().max().item<double>(), 0);
  }
}

TEST(Exported, IsCutAtItsMaps) {
  const auto network = tiny("plain", {.map_nodes = {"relu_", "relu__1"}});
  ASSERT_EQ(network->stages(), 2);
  const at::Tensor images = small_images();
  Activations seen;
  const at::Tensor features = network->features_seen(images, seen);
  EXPECT_LE(difference(features, network->features(images)), 0);
  ASSERT_EQ(seen.stages.size(), 2u);
  EXPECT_EQ(seen.layers.size(), 4u);  // two convolutions, two activations
  for (std::int64_t stage = 0; stage < 2; ++stage) {
    const at::Tensor map = network->map(images, stage);
    EXPECT_LE(difference(map, seen.stages[static_cast<std::size_t>(stage)]), 0) << stage;
    EXPECT_GE(map.min().item<double>(), 0) << "after the activation, in place or not";
    EXPECT_LE(difference(network->features_from(map, stage), features), 1e-6) << stage;
    EXPECT_GT(difference(network->features_from(map.mul(2), stage), features), 1e-3) << "the map is what decides";
  }
  EXPECT_THAT(message([&] { network->map(images, 2); }), HasSubstr("no map of stage 2"));
}

TEST(Exported, ANodeThatIsGonePastIsNoCut) {
  EXPECT_THAT(message([] { tiny("skip", {.map_nodes = {"relu_"}}); }),
              AllOf(HasSubstr("'relu_' is no cut"), HasSubstr("avg_pool2d")));
  EXPECT_THAT(message([] { tiny("views", {.map_nodes = {"conv2d_1"}}); }), HasSubstr("memory is written to"));
}

TEST(Exported, NodesAreNamedBySuggestionAndShape) {
  EXPECT_THAT(
      message([] { tiny("plain", {.feature_node = "maen"}); }),
      AllOf(HasSubstr("model.feature_node names 'maen'"), HasSubstr("did you mean 'mean'"), HasSubstr("--nodes")));
  EXPECT_THAT(message([] { tiny("plain", {.feature_node = "conv2d"}); }),
              HasSubstr("Float [N,4,4,4]; expected Float [N,D]"));
  EXPECT_THAT(message([] { tiny("plain", {.map_nodes = {"mean"}}); }), HasSubstr("expected Float [N,c,h,w]"));
  EXPECT_THAT(message([] { tiny("plain", {.map_nodes = {"relu__1", "relu_"}}); }), HasSubstr("in the order"));
  EXPECT_EQ(tiny("plain")->nodes().front().name, "conv2d");
}

TEST(Exported, WithoutALinearLayerItHasLogitsAloneOrTheNamedFeature) {
  const auto network = tiny("convhead");
  EXPECT_EQ(network->description().feature_node, "");
  const at::Tensor features = network->features(small_images());
  EXPECT_LE(difference(features, network->output(features)), 0);
  const auto named = tiny("plain", {.feature_node = "linear"});  // its own logits: not what enters the linear layer
  EXPECT_FALSE(named->has_head_weights());
}

TEST(Exported, ImagesOfAnotherShapeAreRefusedWithBoth) {
  const std::string said = message([] { tiny("plain", {.channels = 1, .height = 28, .width = 28}); });
  EXPECT_THAT(said, AllOf(HasSubstr("[3,8,8]"), HasSubstr("[1,28,28]"), HasSubstr("torch.randn(2, 1, 28, 28)")));
}

TEST(Exported, AnExportForAnySizeTakesTheBenchmarksWithinItsRange) {
  EXPECT_EQ(tiny("any-size")->spec().height, 8);  // its example's
  const auto network = tiny("any-size", {.channels = 3, .height = 12, .width = 10});
  EXPECT_EQ(logits(*network, array("inputs.npy").narrow(2, 0, 12).narrow(3, 0, 10)).sizes(),
            (std::vector<std::int64_t>{7, 10}));
  EXPECT_THAT(message([] { tiny("any-size", {.channels = 3, .height = 65, .width = 8}); }), HasSubstr("[3,65,8]"));
}

TEST(Exported, RefusesWhatIsNoFunctionOfImages) {
  const std::pair<const char*, const char*> expected[] = {{"fft", "fft_fft2"},
                                                          {"two", "returns 2 tensors"},
                                                          {"no-grad", "subgraph"},
                                                          {"training", ".eval()"},
                                                          {"half", "module.float()"}};
  for (const auto& [form, says] : expected) {
    const std::string said = message([&, name = form] { tiny(name); });
    EXPECT_THAT(said, AllOf(HasSubstr(says), HasSubstr(".pt2"))) << form;
  }
}

}  // namespace
}  // namespace nearfar
