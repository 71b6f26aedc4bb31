#include "common.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

namespace nearfar::testing {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST(ReweightOod, EqualsTheHandWorkedCase) {
  // z = e1, e1, e2 with labels 0, 0, 1: one pair of a class with s = 1, two pairs of different classes with s = 0.
  // A = -sigmoid(-(2 - 1)) / 0.1; B = logsumexp(0, 0) = ln 2, since s = 0; elu(A + B) = e^(A + B) - 1 below 0.
  const double sum = -sigmoid(-1) / 0.1 + std::log(2.0);
  const LossInput input{matrix({1, 0, 1, 0, 0, 1}, 3), labels({0, 0, 1})};
  EXPECT_NEAR(loss("reweightood").forward(input).item<double>(), std::exp(sum) - 1, 1e-6);
}

TEST(ReweightOod, UsesItsParameters) {
  // z = e1, e1, (0.6, 0.8): s = 1 within, 0.6 twice between.
  const double tau = 0.5, m_b = 3, c_b = 1, m_w = 4, c_w = 2;
  const double sum = -sigmoid(c_w - m_w) / tau + std::log(2.0) + sigmoid(m_b * 0.6 - c_b) * 0.6 / tau;
  LossHandle reweight = loss("reweightood", {{"tau", tau}, {"m_b", m_b}, {"c_b", c_b}, {"m_w", m_w}, {"c_w", c_w}});
  const LossInput input{matrix({1, 0, 1, 0, 0.6F, 0.8F}, 3), labels({0, 0, 1})};
  EXPECT_NEAR(reweight.forward(input).item<double>(), sum > 0 ? sum : std::exp(sum) - 1, 1e-6);
}

TEST(ReweightOod, EqualsTheAuthorsCodeOnARandomBatch) {  // torch.manual_seed(0); normalize(randn(8, 5)): 8 positive, 20
                                                         // negative pairs
  const at::Tensor z = normalized(at::randn({8, 5}, at::detail::createCPUGenerator(0)));
  EXPECT_NEAR(loss("reweightood").forward({z, labels({0, 1, 2, 1, 0, 1, 2, 1})}).item<double>(), 8.9935942, 2e-6);
}

TEST(ReweightOod, IsMinusOneWithoutGradientWhereAKindOfPairIsMissing) {
  for (const at::Tensor& its_labels : {labels({0, 0, 0}), labels({0, 1, 2})}) {
    const at::Tensor z = normalized(at::randn({3, 4})).set_requires_grad(true);
    const at::Tensor value = loss("reweightood").forward({z, its_labels});
    value.backward();
    EXPECT_EQ(value.item<float>(), -1.0F);
    EXPECT_EQ(z.grad().abs().sum().item<float>(), 0.0F);
  }
}

}  // namespace
}  // namespace nearfar::testing
