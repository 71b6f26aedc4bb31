/// ResultStore::find: by key, prefix or label, with everything that was measured.
#include "store/fixture.h"

namespace nearfar {
namespace {

using testing::eval_cell, testing::train_cell, testing::train_result;
using Find = testing::StoreTest;

TEST_F(Find, EverythingOfAResultCanBeShown) {
  const std::int64_t location = planning_.put_location(folder_ / "out");
  Outcome trained = train_result();
  trained.val_accuracy = 0.96;
  trained.flags = "b;a";
  trained.curve = {{"train_loss", 0, 2.3}, {"train_loss", 1, 0.1}};
  trained.artifacts = {{"checkpoint", "cells/a/best.safetensors", "5ha", 1234}};
  RunContext with = testing::context();
  with.location = location;
  with.log_file = "cells/a/train.log";
  queue_.finish(queue_.claim(train_.key, with)->run_uid, trained);
  Outcome result = result_;
  result.classifier = "linear";
  result.fit_seconds = 0.5;
  result.measures = {{"test", "nll", "nat", 1.5}, {"test", "ece", "fraction", 0.02}};
  result.scores = {{"test", "cells/b/test.npy", "f00", 100}, {"near/cousins", "cells/b/near.npy", "ba7", 50}};
  result.tune = {{"k=50", 0.9, "", true}, {"k=5000", std::nullopt, "more than there are", false}};
  result.passes = {{"test", 100, 50, 25, 5}};
  testing::run(session_, eval_, result);

  const CellDetails model = results_.find(train_.key.substr(0, 10)).value();
  EXPECT_EQ(model.record.training, "ce");
  EXPECT_EQ(model.record.kind, CellKind::train);
  EXPECT_EQ(model.record.model_key, train_.key);
  EXPECT_EQ(model.outcome.artifacts.at(0).bytes, 1234);
  EXPECT_EQ(model.outcome.val_accuracy, 0.96);
  EXPECT_EQ(model.outcome.epochs, 2);
  EXPECT_EQ(model.outcome.flags, "a;b");
  EXPECT_EQ(model.outcome.curve.at(1).value, 0.1);
  EXPECT_FALSE(model.outcome.fit_seconds);
  EXPECT_EQ(model.location, folder_ / "out");
  EXPECT_EQ(model.runs.at(0).location, folder_ / "out");
  EXPECT_EQ(model.runs.at(0).context.log_file, "cells/a/train.log");
  EXPECT_EQ(model.status.log_file, folder_ / "out" / "cells/a/train.log");

  const CellDetails cell = results_.find("ce/net/s0 knn").value();
  EXPECT_EQ(cell.record.train_key, train_.key);
  EXPECT_EQ(cell.outcome.metrics.size(), 8u);
  EXPECT_EQ(cell.outcome.fit_seconds, 0.5);
  ASSERT_EQ(cell.outcome.measures.size(), 2u);
  EXPECT_EQ(cell.outcome.measures[1].name, "nll");
  EXPECT_EQ(cell.outcome.measures[1].unit, "nat");
  EXPECT_EQ(cell.outcome.measures[1].value, 1.5) << "above 1: no fraction";
  ASSERT_EQ(cell.outcome.scores.size(), 2u);
  EXPECT_EQ(cell.outcome.scores[0].set, "near/cousins");
  ASSERT_EQ(cell.outcome.tune.size(), 2u);
  EXPECT_EQ(cell.outcome.tune[0].params, "k=50");
  EXPECT_EQ(cell.outcome.tune[0].auroc, 0.9);
  EXPECT_TRUE(cell.outcome.tune[0].chosen);
  EXPECT_FALSE(cell.outcome.tune[1].auroc);
  EXPECT_EQ(cell.outcome.tune[1].refused, "more than there are");
  EXPECT_EQ(cell.outcome.passes.at(0).gradients, 50);
  EXPECT_EQ(cell.outcome.passes.at(0).float64, 5);
  EXPECT_EQ(cell.runs.at(0).context.engine_version, "0.1.0");
  EXPECT_EQ(cell.status.started_utc.size(), 20u);
  EXPECT_TRUE(cell.location.empty()) << "it ran without one";
  EXPECT_FALSE(results_.find("f00f00"));
  EXPECT_FALSE(results_.find(""));
}

/// The message with which find() refuses.
std::string refusal(const ResultStore& results, std::string_view text) {
  try {
    (void)results.find(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.what();
  }
  return "";
}

TEST_F(Find, AmbiguousPrefixNamesTheCandidates) {
  CellRecord a = train_cell("ce", 5), b = train_cell("ce", 6);
  a.key = "aaaa1";
  b.key = "aaaa2";
  put({a, b});
  EXPECT_NE(refusal(results_, "aaaa").find("ce/net/s6"), std::string::npos) << refusal(results_, "aaaa");
  EXPECT_EQ(results_.find("aaaa1")->record.seed, 5) << "a whole key";
  CellRecord longer = train_cell("ce", 7);
  longer.key = "aaaa11";
  put({a, b, longer});
  EXPECT_EQ(results_.find("aaaa1")->record.seed, 5) << "a whole key beats a prefix";
}

TEST_F(Find, CellsOfOneLabelAreToldApartByTheirFactors) {
  CellRecord longer = train_;
  longer.key = longer.model_key = sha256("longer");
  longer.factors = {{"loss", std::string("ce")}, {"train.epochs", std::int64_t{12}}, {"train.flip", true}};
  put({train_, longer});
  const std::string message = refusal(results_, train_.label);
  EXPECT_NE(message.find("train.epochs=6"), std::string::npos) << message;
  EXPECT_NE(message.find("train.epochs=12, train.flip=true"), std::string::npos) << message;
  EXPECT_EQ(message.find("loss"), std::string::npos) << "what is equal is not shown: " << message;

  const auto differences = results_.find(train_.key)->differences;
  ASSERT_EQ(differences.size(), 2u);
  EXPECT_EQ(differences[0].name, "train.epochs");
  EXPECT_EQ(differences[0].here, "6");
  EXPECT_EQ(differences[0].elsewhere, std::vector<std::string>{"12"});
  EXPECT_EQ(differences[1].name, "train.flip");
  EXPECT_EQ(differences[1].here, "");
  EXPECT_EQ(differences[1].elsewhere, std::vector<std::string>{"true"});
  EXPECT_TRUE(results_.find(eval_.key)->differences.empty());
}

}  // namespace
}  // namespace nearfar
