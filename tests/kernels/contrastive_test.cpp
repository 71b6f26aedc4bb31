// Losses of pairs against their formulas written out with matrices of all pairs, in float64.
#include "kernels/contrastive.h"

#include <nearfar/contrastive.h>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <limits>

namespace nearfar {
namespace {

using contrastive::LossAndGradient;
using contrastive::Reweighting;
using contrastive::Supervision;

constexpr Supervision kWith{0.1, 0.07};
constexpr Reweighting kBy{0.1, 5, 4, 2, 1};

at::Tensor supervised_formula(const at::Tensor& z, const at::Tensor& labels, double temperature, double base) {
  const at::Tensor self = at::eye(z.size(0), z.options().dtype(at::kBool).requires_grad(false));
  const at::Tensor positive = labels.unsqueeze(0).eq(labels.unsqueeze(1)).logical_and(self.logical_not());
  const at::Tensor similar = z.mm(z.t()).div(temperature);
  const at::Tensor others = similar.masked_fill(self, -std::numeric_limits<double>::infinity()).logsumexp(1, true);
  const at::Tensor each =
      similar.sub(others).masked_fill(positive.logical_not(), 0).sum(1).div(positive.sum(1).clamp_min(1));
  return each.mean().mul(-temperature / base);
}

at::Tensor reweighted_formula(const at::Tensor& z, const at::Tensor& labels, const Reweighting& by) {
  const at::Tensor similar = z.mm(z.t());
  const at::Tensor same = labels.unsqueeze(0).eq(labels.unsqueeze(1));
  const at::Tensor within = similar.masked_select(same.triu(1)),
                   between = similar.masked_select(same.logical_not().triu(1));
  if (within.numel() == 0 || between.numel() == 0) return z.sum().mul(0).sub(1);
  const at::Tensor pull = within.detach().mul(-by.m_w).add(by.c_w).sigmoid().mul(within).div(-by.tau).logsumexp(0);
  const at::Tensor push = between.detach().mul(by.m_b).sub(by.c_b).sigmoid().mul(between).div(by.tau).logsumexp(0);
  return at::elu(pull.add(push));
}

/// Value and gradient of a formula, in float64.
template <class Formula>
LossAndGradient exactly(const at::Tensor& z, const Formula& formula) {
  const at::Tensor leaf = z.detach().to(at::kDouble).set_requires_grad(true);
  const at::Tensor value = formula(leaf);
  value.backward();
  return {value.detach(), leaf.grad()};
}

at::Tensor unit_rows(std::int64_t rows, std::int64_t width) {
  const at::Tensor z =
      at::randn({rows, width}, at::detail::createCPUGenerator(static_cast<std::uint64_t>(rows)), at::kDouble);
  return z.div(z.norm(2, {1}, true));
}

at::Tensor some_labels(std::int64_t rows, std::int64_t classes) {
  return at::randint(classes, {rows}, at::detail::createCPUGenerator(7), at::kLong);
}

void expect_near(const LossAndGradient& got, const LossAndGradient& wanted, double limit, const std::string& name) {
  const double value = wanted.value.item<double>();
  EXPECT_NEAR(got.value.item<double>(), value, limit * std::max(1.0, std::abs(value))) << name;
  const at::Tensor gradient = wanted.gradient;
  const double apart = got.gradient.to(at::kDouble).sub(gradient).abs().max().item<double>();
  EXPECT_LE(apart, limit * std::max(gradient.abs().max().item<double>(), 0.1)) << name;
}

/// Every way, in both precisions.
void expect_formulas(const at::Tensor& z, const at::Tensor& labels, std::int64_t classes) {
  const LossAndGradient supervised =
      exactly(z, [&](const at::Tensor& leaf) { return supervised_formula(leaf, labels, 0.1, 0.07); });
  const LossAndGradient reweighted =
      exactly(z, [&](const at::Tensor& leaf) { return reweighted_formula(leaf, labels, kBy); });
  for (const auto type : {at::kDouble, at::kFloat}) {
    const at::Tensor as = z.to(type);
    const double limit = type == at::kDouble ? 1e-12 : 1e-5;
    const std::string name = std::to_string(z.size(0)) + (type == at::kDouble ? " rows, float64" : " rows, float32");
    expect_near(contrastive::supervised_on_cpu(as, labels, kWith, true), supervised, limit, name + ", CPU");
    expect_near(contrastive::supervised_by_tiles(as, labels, classes, kWith), supervised, limit, name + ", tiles");
    expect_near(contrastive::supervised_by_rows(as, labels, kWith), supervised, limit, name + ", rows");
    expect_near(contrastive::reweighted_on_cpu(as, labels, kBy, true), reweighted, limit, name + ", CPU");
    expect_near(contrastive::reweighted_by_tiles(as, labels, kBy), reweighted, limit, name + ", tiles");
    expect_near(contrastive::reweighted_by_rows(as, labels, kBy), reweighted, limit, name + ", rows");
  }
}

TEST(Contrastive, IsItsFormulaAtEverySizeOfTiles) {
  for (const std::int64_t rows : {2, 3, 8, 127, 128, 129, 256, 257, 700})
    expect_formulas(unit_rows(rows, 16), some_labels(rows, 5), 5);
}

// 6200 rows: 64 MiB do not hold their tiles, which are made twice. 4200: nor are a device's kept.
TEST(Contrastive, IsItsFormulaBeyondWhatIsKept) {
  for (const std::int64_t rows : {4200, 6200}) {
    const at::Tensor z = unit_rows(rows, 4).to(at::kFloat), labels = some_labels(rows, 20);
    const LossAndGradient supervised = contrastive::supervised_by_rows(z.to(at::kDouble), labels, kWith),
                          reweighted = contrastive::reweighted_by_rows(z.to(at::kDouble), labels, kBy);
    expect_near(contrastive::supervised_on_cpu(z, labels, kWith, true), supervised, 1e-5, "supervised, CPU");
    expect_near(contrastive::reweighted_on_cpu(z, labels, kBy, true), reweighted, 1e-5, "reweighted, CPU");
    expect_near(contrastive::supervised_by_tiles(z, labels, 20, kWith), supervised, 1e-5, "supervised, tiles");
    expect_near(contrastive::reweighted_by_tiles(z, labels, kBy), reweighted, 1e-5, "reweighted, tiles");
  }
}

// Products to 90: no shift serves all rows, so that each row and column of a tile has its own.
TEST(Contrastive, IsItsFormulaForRowsOfAllLengths) {
  const at::Tensor z = unit_rows(300, 8).mul(at::arange(300, at::kDouble).div(100).unsqueeze(1));
  const at::Tensor labels = some_labels(300, 5);
  for (const double temperature : {0.1, 0.01}) {
    const Supervision with{temperature, 0.07};
    const LossAndGradient supervised =
        exactly(z, [&](const at::Tensor& leaf) { return supervised_formula(leaf, labels, temperature, 0.07); });
    expect_near(contrastive::supervised_on_cpu(z, labels, with, true), supervised, 1e-11, "supervised, CPU");
    expect_near(contrastive::supervised_by_rows(z, labels, with), supervised, 1e-11, "supervised, rows");
  }
  const LossAndGradient reweighted =
      exactly(z, [&](const at::Tensor& leaf) { return reweighted_formula(leaf, labels, kBy); });
  expect_near(contrastive::reweighted_on_cpu(z, labels, kBy, true), reweighted, 1e-11, "reweighted, CPU");
  expect_near(contrastive::reweighted_by_rows(z, labels, kBy), reweighted, 1e-11, "reweighted, rows");
}

TEST(Contrastive, IsItsFormulaForDegenerateBatches) {
  const at::Tensor z = unit_rows(6, 4);
  expect_formulas(z, at::full({6}, 0, at::kLong), 1);
  expect_formulas(z, at::arange(6, at::kLong), 6);
  expect_formulas(z.narrow(0, 0, 1).repeat({6, 1}), some_labels(6, 2), 2);  // identical rows
  expect_formulas(at::cat({z.narrow(0, 0, 3), z.narrow(0, 0, 3).neg()}), at::arange(6, at::kLong).remainder(3), 3);
}

/// Whether LibTorch's own product is: on some processors its library sums in another order with three threads.
bool products_are_the_same_for_any_number_of_threads(const at::Tensor& z) {
  const at::Tensor similar = z.mm(z.t());
  std::vector<at::Tensor> products;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    products.push_back(z.mm(z.t()));
    products.push_back(z.sub(z).addmm_(similar, z));
  }
  for (std::size_t i = 2; i < products.size(); ++i) {
    if (!at::equal(products[i], products[i % 2])) return false;
  }
  return true;
}

TEST(Contrastive, IsTheSameForAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const std::int64_t rows : {40, 900}) {
      const at::Tensor z = unit_rows(rows, 61).to(type), labels = some_labels(rows, 9);
      const bool exact = products_are_the_same_for_any_number_of_threads(z);
      std::vector<at::Tensor> results;
      for (const int threads : {1, 2, 3}) {
        at::set_num_threads(threads);
        for (const auto& [loss, gradient] : {contrastive::supervised_on_cpu(z, labels, kWith, true),
                                             contrastive::reweighted_on_cpu(z, labels, kBy, true)}) {
          results.push_back(loss);
          results.push_back(gradient);
        }
      }
      // Else what float32 rounds in sums of 61 and of 40 terms of size 1: a few units in the last place of the largest.
      for (std::size_t i = 4; i < results.size(); ++i)
        EXPECT_TRUE(exact ? at::equal(results[i], results[i % 4])
                          : at::allclose(results[i], results[i % 4], 1e-5, 1e-7))
            << rows << " " << type << " " << i;
    }
  }
  at::set_num_threads(before);
}

/// The functions that plugins call.
class PairLosses : public ::testing::Test {
 protected:
  void SetUp() override { register_contrastive(); }
};

TEST_F(PairLosses, AreFiniteForHugeRowsAndNaNForNaN) {
  const at::Tensor labels = some_labels(40, 4), huge = unit_rows(40, 8).mul(1e4).to(at::kFloat).set_requires_grad(true);
  const at::Tensor sum =
      supervised_contrastive(huge, labels, 0.1, 0.07, 0, 4).add(reweighted_pairs(huge, labels, 0.1, 5, 4, 2, 1));
  sum.backward();
  EXPECT_TRUE(sum.isfinite().item<bool>());
  EXPECT_TRUE(huge.grad().isfinite().all().item<bool>());
  const at::Tensor broken = unit_rows(40, 8);
  broken[3][2] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(supervised_contrastive(broken, labels, 0.1, 0.07, 1, 4).isnan().item<bool>());
  EXPECT_TRUE(reweighted_pairs(broken, labels, 0.1, 5, 4, 2, 1, 1).isnan().item<bool>());
}

TEST_F(PairLosses, HaveTheGradientOfTheirDifferences) {
  const at::Tensor labels = some_labels(7, 3), z = unit_rows(7, 3).mul(1.5).set_requires_grad(true);
  supervised_contrastive(z, labels, 0.5, 0.3, 0, 3).mul(2).backward();
  constexpr double kStep = 1e-6;
  for (std::int64_t i = 0; i < z.numel(); ++i) {
    const auto at_offset = [&](double offset) {
      const at::Tensor moved = z.detach().clone();
      moved.view({-1})[i] += offset;
      return supervised_contrastive(moved, labels, 0.5, 0.3, 0, 3).mul(2).item<double>();
    };
    EXPECT_NEAR(z.grad().view({-1})[i].item<double>(), (at_offset(kStep) - at_offset(-kStep)) / (2 * kStep), 1e-7);
  }
}

TEST_F(PairLosses, OfASingleRowAreNothing) {
  const at::Tensor one = unit_rows(1, 4).set_requires_grad(true), label = at::full({1}, 0, at::kLong);
  EXPECT_EQ(supervised_contrastive(one, label, 0.1, 0.07).item<double>(), 0);
  const at::Tensor loss = reweighted_pairs(one, label, 0.1, 5, 4, 2, 1);
  loss.backward();
  EXPECT_EQ(loss.item<double>(), -1);
  EXPECT_EQ(one.grad().abs().sum().item<double>(), 0);
}

TEST_F(PairLosses, MakeNoGradientThatNobodyWants) {
  const at::Tensor z = unit_rows(40, 4), labels = some_labels(40, 3);
  EXPECT_FALSE(supervised_contrastive(z, labels, 0.1, 0.07).requires_grad());
  EXPECT_EQ(contrastive::supervised_on_cpu(z, labels, kWith, false).gradient.numel(), 0);
  EXPECT_EQ(contrastive::reweighted_on_cpu(z, labels, kBy, false).gradient.numel(), 0);
}

TEST_F(PairLosses, TakeRowsThatAreNotContiguous) {
  const at::Tensor z = unit_rows(16, 300).t(), labels = some_labels(600, 3).view({300, 2}).select(1, 1);
  EXPECT_EQ(supervised_contrastive(z, labels, 0.1, 0.07).item<double>(),
            supervised_contrastive(z.contiguous(), labels.contiguous(), 0.1, 0.07).item<double>());
  EXPECT_EQ(reweighted_pairs(z, labels, 0.1, 5, 4, 2, 1).item<double>(),
            reweighted_pairs(z.contiguous(), labels.contiguous(), 0.1, 5, 4, 2, 1).item<double>());
}

TEST_F(PairLosses, SayThatTheyHaveNoSecondDerivative) {
  const at::Tensor z = unit_rows(10, 4).set_requires_grad(true), labels = some_labels(10, 2);
  EXPECT_THROW(supervised_contrastive(z, labels, 0.1, 0.07).backward({}, std::nullopt, /*create_graph=*/true),
               c10::Error);
}

TEST_F(PairLosses, RefuseWhatTheyCannotTake) {
  const at::Tensor z = unit_rows(4, 2), labels = some_labels(4, 2);
  EXPECT_THROW(supervised_contrastive(z.view({-1}), labels, 0.1, 0.07), c10::Error);
  EXPECT_THROW(supervised_contrastive(z, labels.narrow(0, 0, 3), 0.1, 0.07), c10::Error);
  EXPECT_THROW(reweighted_pairs(z, labels.to(at::kInt), 0.1, 5, 4, 2, 1), c10::Error);
  EXPECT_THROW(reweighted_pairs(z.to(at::kHalf), labels, 0.1, 5, 4, 2, 1), c10::Error);
}

}  // namespace
}  // namespace nearfar
