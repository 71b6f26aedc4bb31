#include "models/torchscript_network.h"

#include "base/error.h"
#include "base/npy.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

std::filesystem::path golden(const std::string& name) { return testing::golden("exported/" + name).value(); }

at::Tensor array(const std::string& name) {
  const NpyArray file(golden(name));
  return at::from_blob(const_cast<std::byte*>(file.bytes().data()), file.shape(), at::kFloat).clone();
}

at::Tensor small_images() { return array("inputs.npy").narrow(2, 0, 8).narrow(3, 0, 8).contiguous(); }

double difference(const at::Tensor& a, const at::Tensor& b) { return a.sub(b).abs().max().item<double>(); }

TEST(TorchScript, GivesPythonsLogitsAndFeatures) {
  const at::Tensor expected = array("tiny-plain.logits.npy");
  for (const char* form : {"plain", "two"}) {
    const auto network = open_torchscript(golden(std::string("tiny-") + form + ".torchscript.pt"), 3, 8, 8);
    const at::Tensor features = network->features(small_images());
    EXPECT_LE(difference(network->output(features), expected), 1e-5) << form;
    EXPECT_EQ(network->has_features(), std::string(form) == "two");
    EXPECT_EQ(network->feature_dim(), std::string(form) == "two" ? 8 : 10);
    EXPECT_EQ(network->spec().classes, 10);
    EXPECT_FALSE(network->has_head_weights());
    EXPECT_LE(difference(network->in_float64()->features(small_images().to(at::kDouble)), features), 1e-5) << form;
  }
}

TEST(TorchScript, RecordsInputGradients) {
  const auto network = open_torchscript(golden("tiny-two.torchscript.pt"), 3, 8, 8);
  const at::Tensor images = small_images().set_requires_grad(true);
  network->output(network->features(images)).logsumexp(1).sum().backward();
  EXPECT_GT(images.grad().abs().max().item<double>(), 0);
}

TEST(TorchScript, KnowsTheLogitsOfItsLastFeaturesOnly) {
  const auto network = open_torchscript(golden("tiny-two.torchscript.pt"), 3, 8, 8);
  const at::Tensor features = network->features(small_images());
  EXPECT_THROW(network->output(features.clone()), Error);
}

TEST(TorchScript, OtherFilesAndImagesAreRefusedWithoutABacktrace) {
  for (const auto& [file, channels] :
       {std::pair{"tiny-plain.pt2", 3}, {"inputs.npy", 3}, {"tiny-plain.torchscript.pt", 1}}) {
    try {
      open_torchscript(golden(file), channels, 8, 8);
      ADD_FAILURE() << file;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_THAT(error.what(),
                  ::testing::AllOf(::testing::HasSubstr(file), ::testing::Not(::testing::HasSubstr("frame #"))));
    }
  }
}

}  // namespace
}  // namespace nearfar
