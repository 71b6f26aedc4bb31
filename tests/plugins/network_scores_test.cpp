// Methods that look inside the network: by hand on a linear one.
#include "../../plugins/common/python_random.h"
#include "base/error.h"
#include "base/files.h"
#include "linear_network.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/zeros.h>

#include <array>

namespace nearfar::testing {
namespace {

using I = std::int64_t;

std::string picks_file(const TempDir& folder, const std::vector<I>& rows) {
  const std::string file = (folder.path() / "picks.npy").string();
  write_npy<I>(file, std::array{static_cast<I>(rows.size())}, rows);
  return file;
}

TEST(Odin, StepsTowardsThePredictedClass) {
  // z = (x0 + x1, 0); at x = (1, 1): class 0, z = 2. The loss falls with x0 and x1: gradient negative there, and 0 (so
  // +1) for x2, x3. Step of -0.1 * sign / 0.5: x0 and x1 rise by 0.2, x2 and x3 fall. z' = (2.4, 0); T = 1: p = 1 / (1
  // + e^-2.4).
  LinearNetwork net(pixels({1, 1, 5, 5}, 1, 2, 2), matrix({1, 1, 0, 0, 0, 0, 0, 0}, 2));
  auto scorer = postprocessor("odin", {{"temperature", 1.0}, {"noise", 0.1}});
  expect_near(score_of(scorer, net), {-1 / (1 + std::exp(-2.4))}, 1e-6);
  expect_near(net.asked.flatten(), {1.2, 1.2, 4.8, 4.8}, 1e-6);
}

TEST(Odin, DividesLogitsByTheTemperature) {
  LinearNetwork net(pixels({1, 1, 5, 5}, 1, 2, 2), matrix({1, 1, 0, 0, 0, 0, 0, 0}, 2));
  auto scorer = postprocessor("odin", {{"temperature", 10.0}, {"noise", 0.0}});
  expect_near(score_of(scorer, net), {-1 / (1 + std::exp(-0.2))}, 1e-6);
}

TEST(Iodin, StepsInOneValueOnly) {
  // The loss depends most on x1 (weight 3): only it moves, by 0.1 / 0.5.
  LinearNetwork net(pixels({1, 1, 5, 5}, 1, 2, 2), matrix({1, 3, 0, 0, 0, 0, 0, 0}, 2));
  auto scorer = postprocessor("iodin", {{"temperature", 1.0}, {"noise", 0.1}});
  expect_near(score_of(scorer, net), {-1 / (1 + std::exp(-4.6))}, 1e-6);
  expect_near(net.asked.flatten(), {1, 1.2, 5, 5}, 1e-6);
}

TEST(MdsEnsemble, StepsTowardsTheNearestClass) {
  // Means of maps: class 0: -1, 1; class 1: 9, 11. Class means 0 and 10, shared variance 1. An image of mean 2 is
  // nearest 0: the step of 0.1 / 0.5 = 0.2 takes it to 1.8. Half of the squared distance: 1.62.
  LinearNetwork train(pixels({-2, 0, 1, 1, 9, 9, 10, 12}, 4, 1, 2), matrix({1, 1, 1, 1}, 2));
  LinearNetwork test(pixels({2, 2, 13, 13}, 2, 1, 2), matrix({1, 1, 1, 1}, 2));
  for (const bool exact : {false, true}) {
    auto scorer = postprocessor("mds-ensemble", {{"noise", 0.1}, {"exact", exact}});
    fit(scorer, train, labels({0, 0, 1, 1}), {}, 2);
    expect_near(score_of(scorer, test), {1.62, 2.8 * 2.8 / 2}, 1e-5);
  }
}

TEST(Gram, AddsWhatLeavesTheRangeOfThePredictedClass) {
  // One channel of one pixel x: every power gives |x^2q|^(1/q) = x^2. Both "layers" are the same map. Class 0 (x > 0)
  // is bounded by 1 and 2: range 1 to 4; 3 is held out: deviation (9 - 4) / 4 a power. Class 1: range 1 to 4, too, -1
  // held out: 0. A layer's normaliser is the mean over the two, 2 powers: 2 * 1.25 / 2 = 1.25.
  const TempDir folder;
  const std::string picks = picks_file(folder, {2, 5});
  LinearNetwork train(pixels({1, 2, 3, -1, -2, -1}, 6, 1, 1), matrix({1, -1}, 2));
  auto scorer = postprocessor("gram", {{"powers", I{2}}, {"picks", picks}});
  fit(scorer, train, labels({0, 0, 0, 1, 1, 1}), {}, 2);
  // x = 4: (16 - 4) / 4 = 3 a power; 2 powers in 2 layers: 2 * (6 / 1.25) = 9.6, by p = 1 / (1 + e^-8). x = -0.5: (1 -
  // 0.25) / 1 = 0.75 a power: 2.4, by p = 1 / (1 + e^-1). x = 1.5 is inside.
  LinearNetwork test(pixels({4, -0.5, 1.5}, 3, 1, 1), matrix({1, -1}, 2));
  expect_near(score_of(scorer, test), {9.6 * (1 + std::exp(-8.0)), 2.4 * (1 + std::exp(-1.0)), 0}, 2e-5);
}

TEST(Gram, RowSumsAreThoseOfTheGramMatrix) {
  // Channels (1, 2) and (-3, 0.5). q = 1: G = [[5, -2], [-2, 9.25]], sums 3 and 7.25.
  // q = 2: squares (1, 4), (9, 0.25): [[17, 10], [10, 81.0625]]: 27 and 91.0625, square roots. q = 3: cubes (1, 8),
  // (-27, 0.125):
  // [[65, -26], [-26, 729.015625]]: 39, 703.015625, cube roots.
  class TwoChannels final : public NetworkBatch {
   public:
    TwoChannels() : map_(matrix({1, 2, -3, 0.5}, 1).view({1, 2, 1, 2})), layers_{map_}, none_(map_.flatten(1)) {}
    const at::Tensor& images() const override { return map_; }
    const std::vector<double>& pixel_std() const override { return std_; }
    const at::Tensor& features() const override { return none_; }
    const at::Tensor& logits() const override { return none_; }
    I stages() const override { return 1; }
    const at::Tensor& map(I) const override { return map_; }
    const std::vector<at::Tensor>& layers() const override { return layers_; }
    Outputs forward(const at::Tensor&) override { return {}; }
    at::Tensor forward_to(I, const at::Tensor&) override { return {}; }
    Outputs forward_from(I, const at::Tensor&) override { return {}; }
    at::Tensor logit_gradient(const at::Tensor&) override { return {}; }
    at::Tensor map_gradient(I, const at::Tensor&) override { return {}; }
    NetworkBatch& in_float64() override { return *this; }

   private:
    at::Tensor map_;
    std::vector<at::Tensor> layers_;
    at::Tensor none_;
    std::vector<double> std_{1};
  } batch;
  const at::Tensor found = postprocessor("gram", {{"powers", I{3}}}).observe(batch, false);
  expect_near(found.flatten(), {3, 7.25, std::sqrt(27), std::sqrt(91.0625), std::cbrt(39), std::cbrt(703.015625)},
              1e-5);
}

TEST(Gram, LooksInFloat64WhereAsked) {
  // As by hand above, with maps of twice the size: all bounds and values by 4, deviations as they were.
  const TempDir folder;
  const std::string picks = picks_file(folder, {2, 5});
  const at::Tensor weight = matrix({1, -1}, 2), train_images = pixels({1, 2, 3, -1, -2, -1}, 6, 1, 1),
                   test_images = pixels({4}, 1, 1, 1);
  LinearNetwork train(train_images.mul(7), weight),
      exact_train(train_images.to(at::kDouble), weight.to(at::kDouble), 2);
  LinearNetwork test(test_images.mul(-5), weight), exact_test(test_images.to(at::kDouble), weight.to(at::kDouble), 2);
  train.exact = &exact_train;
  test.exact = &exact_test;
  auto scorer = postprocessor("gram", {{"powers", I{2}}, {"picks", picks}, {"precision", std::string("float64")}});
  fit(scorer, train, labels({0, 0, 0, 1, 1, 1}), {}, 2);
  expect_near(score_of(scorer, test), {9.6 * (1 + std::exp(-16.0))}, 2e-5);
}

TEST(Gram, DrawsAsPythonDoes) {
  // random.seed(0): random.sample(range(120), 12), then random.sample(range(20), 2)
  common::PythonRandom random(0);
  EXPECT_EQ(random.sample(120, 12), (std::vector<I>{108, 49, 97, 113, 53, 5, 33, 65, 62, 51, 117, 100}));
  EXPECT_EQ(random.sample(20, 0), std::vector<I>{});
  // random.seed(12345): random.sample(range(30), 7), which keeps a list
  EXPECT_EQ(common::PythonRandom(12345).sample(30, 7), (std::vector<I>{13, 23, 0, 26, 25, 9, 11}));
}

TEST(RankFeat, TakesTheLargestSingularValueOff) {
  // One channel: the map is a matrix of rank one, nothing stays: z = 0, energy -T log 2.
  LinearNetwork net(pixels({1, 2, 3, 4}, 1, 2, 2), matrix({1, 1, 0, 0, 0, 0, 1, 2}, 2));
  for (const bool accelerate : {false, true}) {
    auto scorer = postprocessor("rankfeat", {{"accelerate", accelerate}, {"temperature", 2.0}});
    expect_near(score_of(scorer, net), {-2 * std::log(2.0)}, 1e-5);
  }
}

/// Features 1 … 10 of one image for each value of the statistic; logits are two of them.
FeatureBatch ranked(const at::Tensor& statistic) {
  const at::Tensor rows =
      at::arange(1, 11, at::TensorOptions(at::kFloat)).unsqueeze(0).expand({statistic.size(0), 10}).contiguous();
  FeatureBatch batch = features(rows);
  batch.logits = rows.narrow(1, 0, 2).contiguous();
  batch.observed = statistic;
  return batch;
}

TEST(AdaScale, ScalesMoreTheLessStable) {
  // Validation statistics 1 … 4. 2.5 is above half of them: percentile 20 + 0.5 (60 - 20) = 40, 6 of 10 count: r = 55
  // / 45. 4 is above all: 20, 8 count: 55 / 52. 0.5: 60, 4 count: 55 / 34. Logits (1, 2).
  FitContext context;
  context.val = ranked(matrix({4, 2, 3, 1}, 4));
  context.head = {at::eye(10).narrow(0, 0, 2).contiguous(), at::zeros({2})};
  context.classes = 2;
  const auto energy = [](double a, double b) { return -std::log(std::exp(a) + std::exp(b)); };
  const std::vector<double> r{55.0 / 45, 55.0 / 52, 55.0 / 34};
  std::vector<double> of_features, of_logits;
  for (const double one : r) {
    of_features.push_back(energy(std::exp(one), 2 * std::exp(one)));
    of_logits.push_back(energy(one * one, 2 * one * one));
  }
  const FeatureBatch test = ranked(matrix({2.5, 4, 0.5}, 3));
  auto a = postprocessor("adascale-a", {{"percentile", std::string("20-60")}});
  auto l = postprocessor("adascale-l", {{"percentile", std::string("20-60")}});
  a.fit(context);
  l.fit(context);
  expect_near(a.score(test), of_features, 1e-5);
  expect_near(l.score(test), of_logits, 1e-5);
  EXPECT_EQ(a.score(ranked(matrix({}, 1).view({0, 1}))).numel(), 0);
}

TEST(AdaScale, RanksAmongTheGivenSample) {
  FitContext context;
  context.val = ranked(matrix({4, 2, 3, 1}, 4));
  const TempDir folder;
  const std::string picks = picks_file(folder, {0, 1});  // 2 and 4: 2.5 is still above half; 3.5 not above all
  auto scorer = postprocessor("adascale-l", {{"percentile", std::string("20-60")}, {"picks", picks}});
  scorer.fit(context);
  const at::Tensor scores = scorer.score(ranked(matrix({2.5, 3.5}, 2)));
  EXPECT_EQ(scores[0].item<float>(), scores[1].item<float>());
}

TEST(AdaScale, LooksAtTheFeaturesThatShift) {
  // Features = pixels 1 … 10, z = w x with w = 1 … 10 by 0.1: of 10 values the 2 (o = 0.25) with the smallest gradient,
  // x0 and x1, rise by 0.5. k1 = 30 %: 8 + 9 + 10, unchanged. k2 = 100 %: shifts 0.5 + 0.5, times 10.
  LinearNetwork net(pixels({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 1, 2, 5),
                    matrix({.1F, .2F, .3F, .4F, .5F, .6F, .7F, .8F, .9F, 1}, 1));
  const auto scorer = postprocessor("adascale-a", {{"k1", 30.0}, {"k2", 100.0}, {"o", 0.25}});
  expect_near(scorer.observe(net, false).flatten(), {37}, 1e-5);
}

TEST(AdaScale, LooksInFloat64WhereAsked) {
  const at::Tensor images = pixels({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 1, 2, 5);
  const at::Tensor weight = matrix({.1F, .2F, .3F, .4F, .5F, .6F, .7F, .8F, .9F, 1}, 1);
  LinearNetwork net(images, weight), doubled(images.to(at::kDouble), weight.to(at::kDouble), 2);
  net.exact = &doubled;
  const auto scorer =
      postprocessor("adascale-a", {{"k1", 30.0}, {"k2", 100.0}, {"o", 0.25}, {"precision", std::string("float64")}});
  const at::Tensor found = scorer.observe(net, false);
  expect_near(found.flatten(), {74}, 1e-5);  // as above, twice: the gain of the float64 network
  EXPECT_EQ(doubled.asked.scalar_type(), at::kDouble);
  EXPECT_FALSE(net.asked.defined());
}

TEST(AdaScale, RefusesARangeThatIsNone) {
  for (const char* text : {"", "60", "60-", "-60", "70-60", "0-50", "60-100", "60-65-70", "a-b", "60 - 65"}) {
    EXPECT_THROW(postprocessor("adascale-a", {{"percentile", std::string(text)}}), Error) << text;
  }
}

}  // namespace
}  // namespace nearfar::testing
