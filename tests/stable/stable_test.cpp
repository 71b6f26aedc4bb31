// One source, two tiers, one result: the stable libraries against the exact ones in the same process.
#include "plugins/linear_network.h"
#include "plugins/toy_problem.h"

#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace nearfar::testing {
namespace {

namespace fs = std::filesystem;

fs::path library(const std::string& name) { return binary_dir() / "lib/nearfar/stable_plugins" / (name + ".so"); }

/// A random problem of real size: 600 train rows, 40 features, 7 classes.
struct Problem {
  FitContext context;
  FeatureBatch scored;
};
const Problem& problem() {
  static const Problem made = [] {
    Problem problem;
    at::manual_seed(5);
    problem.context.classes = 7;
    problem.context.head = {at::randn({7, 40}), at::randn({7})};
    const at::Tensor labels = at::randint(0, 7, {600}, at::kLong);
    const at::Tensor train = at::randn({600, 40}).abs().add(problem.context.head.weight.index_select(0, labels));
    problem.context.train = problem.context.val = with_logits(train, problem.context.head, labels);
    problem.scored = with_logits(at::randn({333, 40}).abs(), problem.context.head);
    return problem;
  }();
  return made;
}

struct Case {
  const char* name;
  ParamMap params = {};
};
class SameScores : public ::testing::TestWithParam<Case> {};

TEST_P(SameScores, InBothTiers) {
  const auto& [name, params] = GetParam();
  PostprocessorHandle exact(plugin(name), params, "test"), stable(load_plugin(library(name)), params, "test");
  exact.fit(problem().context);
  stable.fit(problem().context);
  const at::Tensor wanted = exact.score(problem().scored), found = stable.score(problem().scored);
  EXPECT_EQ(found.scalar_type(), wanted.scalar_type());
  EXPECT_LE(relative_difference(found, wanted), 1e-6);
}
INSTANTIATE_TEST_SUITE_P(All, SameScores,
                         ::testing::Values(Case{"msp"}, Case{"mls"}, Case{"ebo", {{"temperature", 2.5}}}, Case{"gen"},
                                           Case{"gen", {{"m", std::int64_t{3}}, {"gamma", 0.5}}},
                                           Case{"knn", {{"k", std::int64_t{9}}}}, Case{"mds"},
                                           Case{"mds", {{"normalize", true}}}, Case{"vim", {{"dim", std::int64_t{8}}}},
                                           Case{"react"}, Case{"ash"}, Case{"ash", {{"variant", std::string("s")}}},
                                           Case{"dice"}, Case{"fdbd"}, Case{"she"},
                                           Case{"she", {{"metric", std::string("cosine")}}}, Case{"temp-scaling"}));

TEST(StablePlugin, SaysTheSameOfItself) {
  const PluginDescription exact = describe(plugin("knn")), stable = describe(load_plugin(library("knn")));
  EXPECT_EQ(stable.tier, "stable");
  EXPECT_EQ(exact.tier, "exact");
  EXPECT_EQ(stable.name, exact.name);
  EXPECT_EQ(stable.needs, exact.needs);
  EXPECT_EQ(canonical_params(validate(stable.params, {}, "test").values()),
            canonical_params(validate(exact.params, {}, "test").values()));
  EXPECT_TRUE(stable.tuned);
  EXPECT_EQ(stable.source_hash, exact.source_hash);
}

TEST(StablePlugin, ErrorsKeepKindAndText) {
  PostprocessorHandle stable(load_plugin(library("knn")), {{"k", std::int64_t{601}}}, "test");
  try {
    stable.fit(problem().context);
    FAIL() << "k above the number of train images was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("k is 601 but there are 600 train images"), std::string::npos)
        << error.what();
  }
}

/// What looks inside the network does so through the host's functions: a step against the gradient, another pass.
TEST(StablePlugin, LooksInsideTheNetwork) {
  at::manual_seed(9);
  const at::Tensor images = at::randn({40, 1, 3, 4}), weight = at::randn({5, 12});
  const ParamMap params{{"temperature", 3.0}, {"noise", 0.2}};
  LinearNetwork for_exact(images, weight), for_stable(images, weight);
  PostprocessorHandle exact(plugin("odin"), params, "test"), stable(load_plugin(library("odin")), params, "test");
  const at::Tensor wanted = score_of(exact, for_exact), found = score_of(stable, for_stable);
  EXPECT_LE(relative_difference(found, wanted), 1e-6);
  EXPECT_LE(relative_difference(for_stable.asked, for_exact.asked), 1e-6);
  EXPECT_GT(relative_difference(for_stable.asked, images), 1e-3);  // it did step
}

struct Evaluated {
  at::Tensor loss, gradient, features_gradient;
};
Evaluated evaluate(const LoadedPlugin& plugin, const ParamMap& params = {}) {
  LossHandle loss(plugin, params, "test");
  const bool two = loss.traits().views == 2;
  at::manual_seed(7);
  const std::int64_t rows = 64, width = 10;
  at::Tensor output = at::randn({rows, width}), features = at::randn({rows, 20});
  if (loss.traits().normalized_embedding) output = normalized(output);
  output.set_requires_grad(true);
  features.set_requires_grad(true);
  const at::Tensor half = at::randint(0, 5, {rows / 2}, at::kLong);
  LossInput input{.output = output, .labels = two ? half.repeat({2}) : at::randint(0, width, {rows}, at::kLong)};
  if (loss.traits().wants_features) input.features = features;
  loss.prepare({.classes = width, .output_width = width, .feature_width = 20});
  const at::Tensor value = loss.forward(input);
  value.backward();
  return {value.detach(), output.grad().clone(), features.grad()};
}

TEST(StableLoss, GivesTheSameLossAndGradient) {
  for (const char* name : {"ce", "supcon", "reweightood", "logitnorm"}) {
    SCOPED_TRACE(name);
    const Evaluated exact = evaluate(plugin(name)), stable = evaluate(load_plugin(library(name)));
    EXPECT_LE(relative_difference(stable.loss, exact.loss), 1e-6);
    EXPECT_LE(relative_difference(stable.gradient, exact.gradient), 1e-6);
  }
}

TEST(StableLoss, AnExplicitGradientIsThatOfAutograd) {
  const Evaluated wanted = evaluate(plugin("ce"));
  for (const fs::path& file : {library("explicit-ce"), binary_dir() / "lib/nearfar/test_plugins/explicit-ce.so"}) {
    SCOPED_TRACE(file.string());
    const Evaluated found = evaluate(load_plugin(file));
    EXPECT_LE(relative_difference(found.loss, wanted.loss), 1e-6);
    EXPECT_LE(relative_difference(found.gradient, wanted.gradient), 1e-6);
  }
}

}  // namespace
}  // namespace nearfar::testing
