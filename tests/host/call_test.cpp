#include "host/call.h"

#include "expect_error.h"
#include "support/golden.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

LoadedPlugin bad(const std::string& name) {
  return load_plugin(testing::binary_dir() / "lib/nearfar/bad_plugins" / (name + ".so"));
}
LoadedPlugin good(const std::string& name) {
  return load_plugin(testing::binary_dir() / "lib/nearfar/plugins" / (name + ".so"));
}

FeatureBatch logits_batch(std::int64_t count) {
  FeatureBatch batch;
  batch.logits = at::ones({count, 4});
  return batch;
}

ParamMap text(const std::string& name, const std::string& value) { return {{name, value}}; }

PostprocessorHandle throwing(const std::string& what, const std::string& call = "score") {
  return PostprocessorHandle(bad("throws"), {{"what", what}, {"call", call}}, "test");
}

TEST(PluginCall, WhatAPluginIsGivenStaysAsItIs) {
  const PostprocessorHandle writes(bad("misbehaves"), text("what", "writes"), "test");
  EXPECT_ERROR(writes.score(logits_batch(2)), ErrorKind::plugin, "misbehaves", "score: changed what it was given");
  const PostprocessorHandle prints(bad("misbehaves"), text("what", "prints"), "test");
  EXPECT_NO_THROW(prints.score(logits_batch(2)));
}

TEST(PluginCall, NamesPluginAndCallForAnyException) {
  EXPECT_ERROR(throwing("std").score(logits_batch(2)), ErrorKind::plugin, "postprocessor 'throws'", "throws.so",
               "score: a private exception");
  EXPECT_ERROR(throwing("torch").score(logits_batch(2)), ErrorKind::plugin, "score: ", "a check of LibTorch");
  EXPECT_ERROR(throwing("number").score(logits_batch(2)), ErrorKind::plugin, "not a std::exception");
  EXPECT_ERROR(throwing("std", "fit").fit({}), ErrorKind::plugin, "fit: a private exception");
  EXPECT_ERROR(throwing("std", "create"), ErrorKind::plugin, "create: a private exception");
}

TEST(PluginCall, KeepsTheKindOfOurOwnErrors) {
  EXPECT_ERROR(throwing("nearfar").score(logits_batch(2)), ErrorKind::config, "score: a person can fix this");
}

TEST(PluginCall, LeavesOutTorchsBacktrace) {
  try {
    throwing("torch").score(logits_batch(2));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("frame #"), std::string::npos) << error.what();
  }
}

TEST(PluginCall, ChecksTheScores) {
  const auto score = [](const std::string& result) {
    return PostprocessorHandle(bad("wrong_shape"), text("result", result), "test").score(logits_batch(3));
  };
  EXPECT_ERROR(score("matrix"), ErrorKind::plugin, "wrong-shape", "returned [3,1] Float; expected [3] Float");
  EXPECT_ERROR(score("short"), ErrorKind::plugin, "returned [2] Float");
  EXPECT_ERROR(score("half"), ErrorKind::plugin, "returned [3] Half");
  EXPECT_ERROR(score("nan"), ErrorKind::plugin, "row 1 of 3 is nan");
  EXPECT_ERROR(score("nothing"), ErrorKind::plugin, "returned no tensor");
}

TEST(PluginCall, ChecksWhatThePluginNeeds) {
  FeatureBatch batch;
  batch.features = at::ones({2, 3});
  EXPECT_ERROR(PostprocessorHandle(good("msp"), {}, "test").score(batch), ErrorKind::data, "'msp'", "needs logits",
               "scored");
  EXPECT_ERROR(PostprocessorHandle(good("knn"), {}, "test").fit({}), ErrorKind::data, "needs features", "train");
  EXPECT_ERROR(PostprocessorHandle(good("nnguide"), {}, "test").fit({}), ErrorKind::data, "needs logits", "train");
  batch.logits = at::ones({3, 2});
  EXPECT_ERROR(PostprocessorHandle(good("msp"), {}, "test").score(batch), ErrorKind::data, "[3,2] Float", "2 rows");
}

TEST(PluginCall, ValidatesParameters) {
  EXPECT_ERROR(PostprocessorHandle(good("knn"), {{"kk", std::int64_t{1}}}, "here"), ErrorKind::config,
               "here: unknown parameter 'kk'");
  EXPECT_EQ(PostprocessorHandle(good("knn"), {}, "here").params().integer("k"), 50);
}

TEST(PluginCall, RefusesTheOtherKind) {
  EXPECT_ERROR(PostprocessorHandle(good("ce"), {}, "here"), ErrorKind::plugin, "loss 'ce'",
               "asked for as a postprocessor");
  EXPECT_ERROR(LossHandle(good("msp"), {}, "here"), ErrorKind::plugin, "asked for as a loss");
}

TEST(PluginCall, ScoresWithoutGradients) {
  FeatureBatch batch;
  batch.logits = at::rand({2, 3}).set_requires_grad(true);
  EXPECT_FALSE(PostprocessorHandle(good("msp"), {}, "test").score(batch).requires_grad());
  EXPECT_TRUE(at::GradMode::is_enabled());
}

TEST(LossCall, NamesPluginAndCall) {
  LossHandle loss(bad("throws_loss"), {}, "test");
  EXPECT_ERROR(loss.forward({}), ErrorKind::plugin, "loss 'throws'", "forward: forward cannot");
}

TEST(LossCall, ChecksTheResultAndTheTraits) {
  const LossInput input{at::rand({2, 3}).set_requires_grad(true), at::arange(2)};
  EXPECT_ERROR(LossHandle(bad("wrong_loss"), {}, "test").forward(input), ErrorKind::plugin,
               "returned [2] Float; expected a scalar");
  EXPECT_ERROR(LossHandle(bad("wrong_loss"), text("result", "detached"), "test").forward(input), ErrorKind::plugin,
               "autograd");
  EXPECT_ERROR(LossHandle(bad("wrong_loss"), text("result", "traits"), "test"), ErrorKind::plugin,
               "views is 3; expected 1 or 2");
  EXPECT_ERROR(LossHandle(bad("wrong_loss"), text("result", "temperature"), "test"), ErrorKind::plugin,
               "feature_temperature is -1 and evaluated_temperature 1; expected");
  EXPECT_ERROR(LossHandle(bad("wrong_loss"), text("result", "embedding"), "test"), ErrorKind::plugin,
               "feature_temperature with an embedding; expected head = linear");
}

}  // namespace
}  // namespace nearfar
