// cider, palm and logitnorm against the code of the reference, and prototypes: how they start, how a batch moves them,
// and what is left out of degenerate problems.
#include "common.h"
#include "loss_oracles.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <memory>

namespace nearfar::testing {
namespace {

at::Tensor prototypes(const std::unique_ptr<LossHandle>& of) { return of->state().at(0).tensor; }

at::Tensor lengths(const at::Tensor& rows) { return rows.norm(2, {1}); }

using Prepared = std::unique_ptr<LossHandle>;

Prepared prepared(const char* file, std::int64_t classes, const ParamMap& params = {}, std::uint64_t seed = 1) {
  auto made = std::make_unique<LossHandle>(plugin(file), params, "test");
  made->prepare({.classes = classes, .output_width = 3, .feature_width = 8, .seed = seed});
  return made;
}

/// What OpenOOD's code (cider_trainer.py, palm_trainer.py, logitnorm_trainer.py) gives on a CPU in float64 for three
/// batches one after the other: torch.Generator().manual_seed(0), normalize(randn(8, 5)) three times.
struct OfTheReference {
  double loss, gradient, weighted_gradient;  ///< its sum of absolute values; its sum with weights 0 … 39
};

void expect_reference(LossHandle& of, const std::vector<OfTheReference>& wanted, double scale = 1) {
  const at::Generator generator = at::detail::createCPUGenerator(0);
  const std::vector<at::Tensor> its_labels{labels({0, 1, 2, 1, 0, 1, 2, 1}), labels({2, 2, 0, 2, 2, 2, 0, 2}),
                                           labels({1, 1, 1, 1, 1, 1, 1, 1})};
  for (std::size_t i = 0; i < 3; ++i) {
    const at::Tensor z = normalized(at::randn({8, 5}, generator)).mul(scale).set_requires_grad(true);
    const at::Tensor value = of.forward({.output = z, .labels = its_labels[i]});
    value.backward();
    EXPECT_NEAR(value.item<double>(), wanted[i].loss, 1e-6 * wanted[i].loss) << i;
    EXPECT_NEAR(z.grad().abs().sum().item<double>(), wanted[i].gradient, 1e-5 * wanted[i].gradient) << i;
    EXPECT_NEAR(z.grad().mul(at::arange(40).view({8, 5})).sum().item<double>(), wanted[i].weighted_gradient,
                1e-5 * 20 * wanted[i].gradient)
        << i;
  }
}

TEST(Cider, EqualsTheReferencesCode) {
  LossHandle cider = loss("cider-loss");
  cider.prepare({.classes = 3, .output_width = 5});
  cider.start(at::randn({3, 5}, at::detail::createCPUGenerator(1)));
  expect_reference(cider, {{16.91450960131848, 69.4518473017012, 467.74969817844004},
                           {12.120153300399148, 63.965471430344465, 9.857990308460053},
                           {12.061963882065191, 44.17941397911245, 753.4796376771245}});
  const std::vector<double> wanted{
      0.6187430940502481,   0.21185331682159045,  0.021780575522734522, 0.6503222838948292,  -0.38585190075536563,
      -0.02955881824800689, -0.7996422526596142,  0.16802234518832254,  -0.5108225176983041, -0.26556993609032853,
      -0.5823269708134852,  0.004038475179392455, -0.16645021109228933, -0.7136500291154639, 0.3519615788012173};
  expect_near(cider.state()[0].tensor.flatten(), wanted, 1e-6);
}

TEST(Palm, EqualsTheReferencesCode) {
  LossHandle palm = loss("palm-loss");
  palm.prepare({.classes = 3, .output_width = 5, .seed = 7});  // its prototypes: normalize(rand(18, 5)) of this seed
  expect_reference(palm, {{4.929291577088146, 4.052328386886604, 0.5969233036256245},
                          {5.41259506800834, 4.8687958966171525, -12.4522366810652},
                          {4.644143429734077, 4.013513495059983, 9.249967706411066}});
  const at::Tensor moved = palm.state()[0].tensor;
  EXPECT_NEAR(moved.abs().sum().item<double>(), 36.31558102835853, 1e-4);
  EXPECT_NEAR(moved.mul(at::arange(90).view({18, 5})).sum().item<double>(), 1617.2760781713282, 1e-3);
}

TEST(LogitNorm, EqualsTheReferencesCode) {
  LossHandle logitnorm = loss("logitnorm");
  expect_reference(logitnorm,
                   {{13.782502685687735, 12.803962873538175, 20.4289519490268},
                    {17.664541539451864, 14.452268601275087, -16.22401545391},
                    {19.015109030264355, 12.991232136755478, -50.4389845951567}},
                   3);  // of logits of length 3
}

TEST(Cider, StartsAtUnitMeans) {
  const Prepared cider = prepared("cider-loss", 3);
  EXPECT_TRUE(cider->traits().wants_class_means);
  cider->start(matrix({3, 4, 0, 0, 0, 2, 0, 0, 0}, 3));  // no image of the third class
  EXPECT_LE(prototypes(cider).sub(matrix({0.6F, 0.8F, 0, 0, 0, 1, 0, 0, 0}, 3)).abs().max().item<float>(), 1e-7F);
}

TEST(Cider, EqualsTheHandWorkedCase) {
  // m = 0.5, prototypes e1 and e2; an image e2 of class 0 moves its prototype to (1,1)/sqrt 2 =: (a,a).
  // Compactness: logits (a,1) at tau = 1, label 0: log(1 + e^(1 - a)); times tau / base_tau = 2.
  // Dispersion: log e^a = a from both sides.
  const Prepared cider = prepared("cider-loss", 2, {{"w", 3.0}, {"tau", 1.0}, {"base_tau", 0.5}, {"proto_m", 0.5}});
  cider->start(matrix({1, 0, 0, 0, 1, 0}, 2));
  const double a = std::sqrt(0.5);
  EXPECT_NEAR(cider->forward({.output = matrix({0, 1, 0}, 1), .labels = labels({0})}).item<double>(),
              3 * 2 * std::log(1 + std::exp(1 - a)) + a, 1e-6);
  EXPECT_NEAR(prototypes(cider)[0][0].item<double>(), a, 1e-7);
  EXPECT_NEAR(prototypes(cider)[0][1].item<double>(), a, 1e-7);
  EXPECT_TRUE(prototypes(cider)[1].equal(matrix({0, 1, 0}, 1)[0]));
}

TEST(Cider, MovesPrototypesImageByImage) {
  const Prepared cider = prepared("cider-loss", 3, {{"proto_m", 0.7}});
  cider->start(at::randn({3, 3}));
  const auto rows = [](const at::Tensor& values) {
    oracle::Rows made;
    for (std::int64_t i = 0; i < values.size(0); ++i) {
      made.push_back({});
      for (std::int64_t d = 0; d < values.size(1); ++d) made.back().push_back(values[i][d].item<double>());
    }
    return made;
  };
  const std::vector<std::int64_t> order{2, 2, 0, 2, 1, 0, 2, 2};
  const at::Tensor z = normalized(at::randn({8, 3}));
  const oracle::Rows wanted = oracle::cider_moved(rows(prototypes(cider)), rows(z), order, 0.7);
  cider->forward({.output = z, .labels = labels(order), .most_of_a_label = 5});
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t d = 0; d < 3; ++d)
      EXPECT_NEAR(prototypes(cider)[c][d].item<double>(),
                  wanted[static_cast<std::size_t>(c)][static_cast<std::size_t>(d)], 1e-6);
  }
}

TEST(Cider, HasNoDispersionOfASingleClass) {
  const Prepared cider = prepared("cider-loss", 1);
  cider->start(matrix({1, 0, 0}, 1));
  const at::Tensor z = matrix({0, 1, 0}, 1).set_requires_grad(true);
  const at::Tensor value = cider->forward({.output = z, .labels = labels({0})});
  value.backward();
  EXPECT_EQ(value.item<float>(), 0.0F);  // the only class has probability 1
  EXPECT_EQ(z.grad().abs().max().item<float>(), 0.0F);
}

TEST(Palm, StartsAtRowsOfItsSeed) {
  const Prepared palm = prepared("palm-loss", 4), same = prepared("palm-loss", 4),
                 other = prepared("palm-loss", 4, {}, 2);
  EXPECT_EQ(prototypes(palm).sizes(), (std::vector<std::int64_t>{24, 3}));
  EXPECT_LE(lengths(prototypes(palm)).sub(1).abs().max().item<float>(), 1e-6F);
  EXPECT_TRUE(prototypes(palm).equal(prototypes(same)));
  EXPECT_FALSE(prototypes(palm).equal(prototypes(other)));
}

TEST(Palm, LeavesPrototypesOfOtherClassesWhereTheyAre) {
  const Prepared palm = prepared("palm-loss", 2, {{"proto_m", 0.5}});
  const at::Tensor before = prototypes(palm).clone();
  palm->forward({.output = normalized(at::randn({6, 3})), .labels = labels({0, 0, 0, 0, 0, 0})});
  const at::Tensor moved = lengths(prototypes(palm).sub(before));
  for (std::int64_t k = 0; k < 12; ++k) {
    if (k % 2 == 0) {
      EXPECT_GT(moved[k].item<float>(), 1e-3F) << k;  // six images, six prototypes, five each
    } else {
      EXPECT_LT(moved[k].item<float>(), 1e-6F) << k;
    }
  }
}

TEST(Palm, TakesOnePrototypeAClassAndASingleClass) {
  for (const auto& [classes, of_each] : {std::pair<std::int64_t, std::int64_t>{3, 1}, {1, 6}, {1, 1}}) {
    const Prepared palm = prepared("palm-loss", classes, {{"n_proto", of_each}});
    const at::Tensor z = normalized(at::randn({4, 3})).set_requires_grad(true);
    const at::Tensor value = palm->forward({.output = z, .labels = at::zeros({4}, at::kLong)});
    value.backward();
    EXPECT_TRUE(value.isfinite().item<bool>()) << classes << " " << of_each;
    EXPECT_TRUE(z.grad().isfinite().all().item<bool>()) << classes << " " << of_each;
  }
}

TEST(Palm, WithoutKTakesAllPrototypesOfTheClass) {
  const Prepared all = prepared("palm-loss", 2, {{"k", std::int64_t{0}}}),
                 six = prepared("palm-loss", 2, {{"k", std::int64_t{6}}});
  const LossInput input{.output = normalized(at::randn({6, 3})), .labels = labels({0, 1, 0, 1, 0, 1})};
  EXPECT_EQ(all->forward(input).item<float>(), six->forward(input).item<float>());
}

}  // namespace
}  // namespace nearfar::testing
