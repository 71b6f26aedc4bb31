#include "features/finite.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>

namespace nearfar {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

TEST(FindNonFinite, CountsRowsAndKnowsTheFirst) {
  at::Tensor matrix = at::ones({5000, 3});
  EXPECT_EQ(find_nonfinite(matrix), NonFinite{});
  matrix[4999][2] = kNan;
  matrix[1700][1] = -kInf;
  matrix[1700][2] = kNan;
  matrix[3][0] = std::numeric_limits<float>::max();  // large, and a number
  EXPECT_EQ(find_nonfinite(matrix), (NonFinite{.rows = 2, .first = 1700, .value = "-inf"}));
}

TEST(FindNonFinite, OfNothingIsNothing) { EXPECT_EQ(find_nonfinite(at::zeros({0, 3})).rows, 0); }

std::unique_ptr<Network> network() { return make_network({"resnet8", 1, 8, 8, 3, HeadKind::linear, "mlp", 4}, 1); }

at::Tensor tensor_of(Network& of, const std::string& name) {
  for (const NamedTensor& named : of.named_tensors()) {
    if (named.name == name) return named.tensor.detach();
  }
  ADD_FAILURE() << name;
  return {};
}

TEST(NonFiniteCause, NamesWhatIsWrongWithTheWeights) {
  const auto broken = network();
  EXPECT_NE(nonfinite_cause(*broken).find("the weights are finite, so a layer overflows"), std::string::npos);
  tensor_of(*broken, "head.weight")[0][0] = kNan;
  EXPECT_EQ(nonfinite_cause(*broken), "of the weights, 'head.weight' holds NaN; get or train them again");
  tensor_of(*broken, "head.weight")[0][0] = kInf;
  EXPECT_NE(nonfinite_cause(*broken).find("'head.weight' holds infinity"), std::string::npos);
}

TEST(NonFiniteCause, KnowsNegativeVariances) {
  const auto broken = network();
  for (const NamedTensor& named : broken->named_tensors()) {
    if (!named.name.ends_with("running_var")) continue;
    named.tensor.detach()[0] = -1;
    EXPECT_EQ(nonfinite_cause(*broken),
              "of the weights, '" + named.name + "' holds a negative variance; get or train them again");
    return;
  }
  FAIL();
}

TEST(NonFiniteText, SaysSetImageTensorValueAndCause) {
  EXPECT_EQ(
      nonfinite_text("far/x", "logits", {.rows = 5, .first = 3, .value = "nan", .image = "l.txt:4 a.png"}, 40, "why"),
      "'far/x': logits of image 3 (l.txt:4 a.png) are not finite (nan), 5 of 40 images in all: why");
}

}  // namespace
}  // namespace nearfar
