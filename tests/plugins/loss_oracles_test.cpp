// All losses against loss_oracles.h: values and gradients in float64, float32 near them, also for batches that have no
// pair, one class or one image of each. Finite for any batch: `nearfar plugin check` (tests/conformance).
#include "loss_oracles.h"

#include "common.h"

namespace nearfar::testing {
namespace {

constexpr std::int64_t kClasses = 4, kWidth = 5;

struct Subject {
  const char* file;
  double (*oracle)(const oracle::Case&);
};

void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.file; }

oracle::Rows rows_of(const at::Tensor& values) {
  const at::Tensor doubles = values.detach().toType(at::kDouble).contiguous();
  oracle::Rows rows;
  for (std::int64_t i = 0; i < doubles.size(0); ++i) {
    const double* first = doubles.const_data_ptr<double>() + i * doubles.size(1);
    rows.emplace_back(first, first + doubles.size(1));
  }
  return rows;
}

class LossOracles : public ::testing::TestWithParam<Subject> {
 protected:
  LossOracles() : loss_(loss(GetParam().file)) {
    loss_.prepare({.classes = kClasses, .output_width = width(), .feature_width = 8, .seed = 3});
    if (loss_.traits().wants_class_means) loss_.start(at::randn({kClasses, width()}));
    for (const LossTensor& own : loss_.state()) start_.push_back(own.tensor.clone());
  }

  std::int64_t width() const { return loss_.traits().head == HeadKind::linear ? kClasses : kWidth; }

  at::Tensor random(std::int64_t rows) const {
    const at::Tensor drawn = at::randn({rows, width()}, at::kDouble);
    return loss_.traits().normalized_embedding ? normalized(drawn) : drawn.mul(3);
  }

  /// From the state at the start.
  at::Tensor forward(const at::Tensor& output, const at::Tensor& its_labels) {
    const std::vector<LossTensor> state = loss_.state();
    for (std::size_t i = 0; i < state.size(); ++i) at::Tensor(state[i].tensor).copy_(start_[i]);
    return loss_.forward({.output = output, .labels = its_labels});
  }

  double wanted(const at::Tensor& z, const at::Tensor& fixed, const at::Tensor& its_labels) const {
    const std::int64_t* first = its_labels.const_data_ptr<std::int64_t>();
    return GetParam().oracle({rows_of(z),
                              rows_of(fixed),
                              {first, first + its_labels.numel()},
                              start_.empty() ? oracle::Rows() : rows_of(start_[0])});
  }

  LossHandle loss_;
  std::vector<at::Tensor> start_;
};

std::vector<at::Tensor> batches_of_labels() {
  return {labels({0, 1, 2, 3, 0, 1, 2, 3}), labels({2, 0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1}), labels({1, 1, 0, 0}),
          labels({3, 3, 3, 3, 3, 3}), labels({0, 1, 2, 3})};
}

TEST_P(LossOracles, GiveItsValueInFloat64) {
  for (const at::Tensor& its_labels : batches_of_labels()) {
    const at::Tensor z = random(its_labels.size(0));
    const double found = forward(z, its_labels).item<double>(), is = wanted(z, z, its_labels);
    EXPECT_NEAR(found, is, 1e-10 * std::max(1.0, std::abs(is)));
  }
}

TEST_P(LossOracles, GiveItsGradientByCentralDifferences) {
  constexpr double kStep = 1e-6;  // an error of about 1e-12 from the third derivative, 1e-9 from rounding
  for (const at::Tensor& its_labels : batches_of_labels()) {
    const at::Tensor z = random(its_labels.size(0)), leaf = z.clone().set_requires_grad(true);
    forward(leaf, its_labels).backward();
    for (std::int64_t i = 0; i < z.size(0); ++i) {
      for (std::int64_t d = 0; d < z.size(1); ++d) {
        const auto beside = [&](double step) {
          at::Tensor moved = z.clone();
          moved[i][d].add_(step);
          return wanted(moved, z, its_labels);
        };
        EXPECT_NEAR(leaf.grad()[i][d].item<double>(), (beside(kStep) - beside(-kStep)) / (2 * kStep), 1e-7)
            << "row " << i << ", column " << d;
      }
    }
  }
}

TEST_P(LossOracles, AreNearInFloat32) {
  for (const at::Tensor& its_labels : batches_of_labels()) {
    const at::Tensor z = random(its_labels.size(0)).toType(at::kFloat), leaf = z.clone().set_requires_grad(true),
                     exact = z.toType(at::kDouble).set_requires_grad(true);
    const at::Tensor found = forward(leaf, its_labels), is = forward(exact, its_labels);
    found.backward();
    is.backward();
    EXPECT_NEAR(found.item<double>(), is.item<double>(), 1e-5 * std::max(1.0, std::abs(is.item<double>())));
    EXPECT_LE(leaf.grad().sub(exact.grad()).abs().max().item<double>(),
              1e-5 * std::max(1.0, exact.grad().abs().max().item<double>()));
  }
}

TEST_P(LossOracles, GiveTheSameBitsWhereTheLargestClassIsKnown) {
  const at::Tensor its_labels = labels({2, 0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1});
  const at::Tensor z = random(12).toType(at::kFloat), once = z.clone().set_requires_grad(true),
                   again = z.clone().set_requires_grad(true);
  const at::Tensor unknown = forward(once, its_labels);
  std::vector<at::Tensor> after;
  for (const LossTensor& own : loss_.state()) after.push_back(own.tensor.clone());
  const std::vector<LossTensor> state = loss_.state();
  for (std::size_t i = 0; i < state.size(); ++i) at::Tensor(state[i].tensor).copy_(start_[i]);
  const at::Tensor known = loss_.forward({.output = again, .labels = its_labels, .most_of_a_label = 6});
  unknown.backward();
  known.backward();
  EXPECT_TRUE(unknown.equal(known));
  EXPECT_TRUE(once.grad().equal(again.grad()));
  for (std::size_t i = 0; i < state.size(); ++i) EXPECT_TRUE(loss_.state()[i].tensor.equal(after[i]));
}

INSTANTIATE_TEST_SUITE_P(
    All, LossOracles,
    ::testing::Values(Subject{"ce", oracle::cross_entropy}, Subject{"logitnorm", oracle::logitnorm},
                      Subject{"t2fnorm-loss", oracle::cross_entropy},  // the rest is the trainer's: trainer_test.cpp
                      Subject{"supcon", oracle::supcon}, Subject{"reweightood", oracle::reweightood},
                      Subject{"cider-loss", oracle::cider}, Subject{"palm-loss", oracle::palm}),
    [](const auto& tested) {
      std::string name = tested.param.file;
      std::erase(name, '-');
      return name;
    });

}  // namespace
}  // namespace nearfar::testing
