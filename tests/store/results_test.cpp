#include "store/results.h"

#include "store/fixture.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace nearfar {
namespace {

using testing::accuracy_result, testing::context, testing::eval_cell, testing::eval_result, testing::model_cell,
    testing::train_cell, testing::train_result;

class ResultsTest : public testing::StoreTest {
 protected:
  CellRecord accuracy_ = model_cell(train_, CellKind::accuracy);
  std::optional<double> accuracy(const ResultsFrame& frame) const {
    const auto found = std::ranges::find(frame.values, "id", &ResultValue::group);
    return found == frame.values.end() ? std::nullopt : std::optional(found->value);
  }
};

TEST_F(ResultsTest, CountsByStateAndKind) {
  put({train_, eval_, eval_cell(train_, "msp")});
  testing::run(session_, eval_, result_);
  const std::vector<CellCount> counts = results_.counts();
  ASSERT_EQ(counts.size(), 3u);
  EXPECT_EQ(counts[0].kind, CellKind::train);
  EXPECT_EQ(counts[1].state, CellState::planned);
  EXPECT_EQ(counts[1].kind, CellKind::eval);
  EXPECT_EQ(counts[2].state, CellState::ok);
  EXPECT_EQ(counts[2].count, 1);
  testing::put(session_, planning_.put_experiment(testing::sample_experiment("other", "c1")), {train_});
  ASSERT_EQ(results_.counts("other").size(), 1u);
  EXPECT_EQ(results_.counts("other")[0].count, 1);
  EXPECT_EQ(results_.counts("one").size(), 3u);
  EXPECT_TRUE(results_.counts("none").empty());
}

TEST_F(ResultsTest, CellsOfAbandonedConfigsAreNotWaitedFor) {
  EXPECT_EQ(results_.waiting_count(), 2);
  (void)claim(train_);
  EXPECT_EQ(results_.waiting_count("one"), 2) << "running ones are";
  const CellRecord other = train_cell("ce", 7);
  testing::put(session_, planning_.put_experiment(testing::sample_experiment("one", "c1")), {other});
  EXPECT_EQ(results_.waiting_count("one"), 1) << "the edited config has one cell";
  EXPECT_EQ(results_.waiting_count(), 1);
  testing::put(session_, planning_.put_experiment(testing::sample_experiment("two", "c2")), {other, eval_});
  EXPECT_EQ(results_.waiting_count(), 2) << "a shared cell once";
  EXPECT_EQ(results_.waiting_count("two"), 2);
  testing::run(session_, other, train_result());
  EXPECT_EQ(results_.waiting_count("one"), 0);
  EXPECT_EQ(results_.waiting_count("none"), 0);
}

TEST_F(ResultsTest, FindsTheNewestExperimentThatHasACell) {
  const CellRecord other = train_cell("ce", 7);
  testing::put(session_, planning_.put_experiment(testing::sample_experiment("one", "c1")), {other});
  EXPECT_EQ(results_.experiment_with(other.key)->hash, "c1");
  EXPECT_NE(results_.experiment_with(train_.key)->hash, "c1") << "the edited config has lost it";
  EXPECT_EQ(results_.experiment_with(train_.key)->name, "one");
  testing::put(session_, planning_.put_experiment(testing::sample_experiment("two", "c2")), {other, train_});
  EXPECT_EQ(results_.experiment_with(train_.key)->name, "two");
  EXPECT_FALSE(results_.experiment_with("none").has_value());
}

TEST_F(ResultsTest, CellsInSomeStatesOnly) {
  queue_.fail(claim(eval_), CellState::timeout, "too slow");
  const auto failed = results_.cells("one", {CellState::failed, CellState::timeout});
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].key, eval_.key);
  EXPECT_EQ(failed[0].model_key, train_.key);
  EXPECT_EQ(failed[0].message, "too slow");
  EXPECT_EQ(results_.cells(std::nullopt, {CellState::planned}).size(), 1u);
  EXPECT_EQ(results_.cells("one", {CellState::ok}).size(), 0u);
  EXPECT_EQ(results_.cells("none", {CellState::planned}).size(), 0u);
}

TEST_F(ResultsTest, AccuracyOfTheModelJoinsItsEvaluations) {
  put({train_, accuracy_, eval_});
  testing::run(session_, train_, train_result());
  testing::run(session_, accuracy_, accuracy_result(0.95, "linear"));
  EXPECT_EQ(value_count(), 0u) << "a model alone is no row";
  testing::run(session_, eval_, result_);
  const ResultsFrame frame = results_.frame();
  ASSERT_EQ(frame.subjects.size(), 1u);
  EXPECT_EQ(frame.values.size(), 9u);
  EXPECT_EQ(accuracy(frame), 0.95);
  EXPECT_EQ(frame.subjects[0].classifier, "linear");
  EXPECT_TRUE(std::ranges::is_sorted(frame.values, {}, [](const ResultValue& v) {
    return std::tie(v.subject, v.protocol, v.group, v.dataset, v.metric);
  }));
}

TEST_F(ResultsTest, AccuracyUnderAProtocolThatWasNotEvaluatedStaysOut) {
  put({train_, accuracy_, eval_});
  Outcome both = accuracy_result(0.95, "linear");
  both.metrics.push_back({"fsood", "id", "test+csid", "accuracy", 0.5});
  testing::run(session_, accuracy_, both);
  testing::run(session_, eval_, result_);
  EXPECT_EQ(value_count(), 9u);
}

TEST_F(ResultsTest, AccuracyOfAnotherVersionOfTheDataIsNotTaken) {
  // The same model on two versions of a benchmark: each evaluation has the accuracy on its own test images.
  BenchmarkRecord other = testing::sample_benchmark();
  other.data_hash = "07e4";
  planning_.put_benchmark(other);
  CellRecord other_accuracy = accuracy_, other_eval = eval_;
  other_accuracy.data_hash = other_eval.data_hash = "07e4";
  other_accuracy.key = sha256("other accuracy");
  other_eval.key = sha256("other eval");
  put({train_, accuracy_, eval_, other_accuracy, other_eval});
  testing::run(session_, accuracy_, accuracy_result(0.9, "linear"));
  testing::run(session_, other_eval, result_);
  EXPECT_EQ(accuracy(results_.frame()), std::nullopt) << "its own is not measured yet";
  testing::run(session_, other_accuracy, accuracy_result(0.8, "linear"));
  EXPECT_EQ(accuracy(results_.frame()), 0.8);
}

TEST_F(ResultsTest, OneAccuracyCellServesBenchmarksWithTheSameTestImages) {
  // Another OOD set makes another data hash, but the accuracy cell's key is the same: it is planned once.
  BenchmarkRecord other = testing::sample_benchmark();
  other.data_hash = "07e4";
  planning_.put_benchmark(other);
  CellRecord other_eval = eval_;
  other_eval.data_hash = "07e4";
  other_eval.key = sha256("other eval");
  put({train_, accuracy_, eval_, other_eval});
  testing::run(session_, accuracy_, accuracy_result(0.9, "linear"));
  testing::run(session_, other_eval, result_);
  EXPECT_EQ(accuracy(results_.frame()), 0.9);
}

TEST_F(ResultsTest, EvaluationMayBringItsOwnAccuracy) {
  put({train_, accuracy_, eval_});
  testing::run(session_, accuracy_, accuracy_result(0.9, "linear"));
  Outcome own = result_;
  own.classifier = "ncm";
  own.metrics.push_back({"ood", "id", "test", "accuracy", 0.93});
  testing::run(session_, eval_, own);
  const ResultsFrame frame = results_.frame();
  EXPECT_EQ(frame.values.size(), 9u);
  EXPECT_EQ(accuracy(frame), 0.93);
  EXPECT_EQ(frame.subjects[0].classifier, "ncm");
}

TEST_F(ResultsTest, FlagsOfModelCellAndRunsAreJoined) {
  CellRecord flagged = eval_cell(train_, "mds");
  flagged.flags = "partial";
  const CellRecord features = model_cell(train_, CellKind::features, "test");
  put({train_, features, accuracy_, flagged});
  Outcome trained = train_result(), measured = accuracy_result(0.9, "linear"), passed, result = result_;
  trained.flags = "count-mismatch";
  measured.flags = "a";
  passed.flags = "skipped-images=1";
  result.flags = "partial";
  testing::run(session_, train_, trained);
  testing::run(session_, features, passed);
  testing::run(session_, accuracy_, measured);
  testing::run(session_, flagged, result);
  EXPECT_EQ(results_.frame().subjects.at(0).flags, "a;count-mismatch;partial;skipped-images=1");
}

TEST_F(ResultsTest, SubjectsSayWithWhatTheyWereMade) {
  const std::int64_t loss = planning_.put_plugin({"loss", "ce", "1.2.0", "1055", "b1", "tag"});
  const std::int64_t knn = planning_.put_plugin({"postprocessor", "knn", "3.0.0", "4nn", "b2", "tag"});
  testing::run(session_, train_, train_result(), loss);
  testing::run(session_, eval_, result_, knn);
  const ResultSubject subject = results_.frame().subjects.at(0);
  EXPECT_EQ(subject.cell_key, eval_.key);
  EXPECT_EQ(subject.model_key, train_.key);
  EXPECT_EQ(subject.run_uid, results_.find(eval_.key)->runs.at(0).uid);
  EXPECT_EQ(subject.postprocessor, "knn");
  EXPECT_EQ(subject.training_version, "1.2.0");
  EXPECT_EQ(subject.training_source_hash, "1055");
  EXPECT_EQ(subject.postprocessor_version, "3.0.0");
  EXPECT_EQ(subject.postprocessor_source_hash, "4nn");
  EXPECT_EQ(subject.numerics, "1");
  const std::vector<Factor> expected{
      {"loss", std::string("ce")}, {"postprocessor", std::string("knn")}, {"train.epochs", std::int64_t{6}}};
  EXPECT_EQ(subject.factors, expected);
}

TEST_F(ResultsTest, FrameOfOneExperimentOnly) {
  const CellRecord msp = eval_cell(train_, "msp");
  put({train_, eval_, msp});
  testing::run(session_, eval_, result_);
  testing::run(session_, msp, result_);
  testing::put(session_, planning_.put_experiment(testing::sample_experiment("other", "c1")), {msp});
  EXPECT_EQ(results_.frame().subjects.size(), 2u);
  EXPECT_EQ(results_.frame("other").subjects.size(), 1u);
  EXPECT_EQ(results_.frame("other").values.size(), 8u);
  EXPECT_EQ(results_.frame("none").subjects.size(), 0u);
}

TEST_F(ResultsTest, OrderOfTheFrameDoesNotDependOnTheOrderOfTheRuns) {
  std::vector<CellRecord> cells{train_, train_cell("ce", 1), train_cell("supcon", 0)};
  for (int i = 0; i < 3; ++i) {
    for (const char* postprocessor : {"msp", "knn"})
      cells.push_back(eval_cell(cells[static_cast<std::size_t>(i)], postprocessor));
  }
  put(cells);
  for (std::size_t i = cells.size(); i-- > 3;) testing::run(session_, cells[i], result_);
  std::vector<std::string> order;
  for (const ResultSubject& s : results_.frame().subjects)
    order.push_back(s.training + " " + s.postprocessor + " " + std::to_string(s.seed));
  EXPECT_EQ(order,
            (std::vector<std::string>{"ce knn 0", "ce knn 1", "ce msp 0", "ce msp 1", "supcon knn 0", "supcon msp 0"}));
}

TEST_F(ResultsTest, CostsOfCellsThatOneEngineHasInHandDoNotOverlap) {
  const CellRecord msp = eval_cell(train_, "msp");
  put({train_, eval_, msp});
  testing::run(session_, train_, train_result());
  RunContext with = context();
  with.log_file = "cells/a/eval.log";
  const auto before = std::chrono::steady_clock::now();
  const std::string first = queue_.claim(eval_.key, with).value().run_uid;
  const std::string second = queue_.claim(msp.key, with).value().run_uid;
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  queue_.finish(first, result_);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  queue_.finish(second, result_);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - before;
  const std::vector<CostRow> costs = results_.costs();
  ASSERT_EQ(costs.size(), 3u);
  EXPECT_EQ(costs[0].what, "knn");
  EXPECT_EQ(costs[1].what, "msp");
  EXPECT_EQ(costs[2].what, "ce");
  EXPECT_EQ(costs[2].epochs, 2);
  for (const CostRow& cost : costs) {
    EXPECT_EQ(cost.runs, 1);
    EXPECT_EQ(cost.benchmark, "tiny");
    EXPECT_EQ(cost.data_hash, testing::kDataHash);
    EXPECT_EQ(cost.architecture, "net");
    EXPECT_EQ(cost.device, "cpu");
    EXPECT_EQ(cost.threads, 1);
  }
  EXPECT_GE(costs[0].seconds, 0.058);
  EXPECT_GE(costs[1].seconds, 0.018);
  EXPECT_LE(costs[0].seconds + costs[1].seconds, elapsed.count() + 0.002) << "the second began where the first ended";
}

TEST_F(ResultsTest, TheStampChangesWithResultsAndStatesAndNotWithHeartbeats) {
  std::vector<std::string> stamps{results_.stamp()};
  const auto changes = [&](const char* what) {
    stamps.push_back(results_.stamp());
    EXPECT_EQ(std::ranges::count(stamps, stamps.back()), 1) << what;
    EXPECT_EQ(results_.stamp(), stamps.back()) << what;
  };
  const std::string first = claim(train_);
  changes("claimed");
  queue_.heartbeat(context().owner, 600);
  EXPECT_EQ(results_.stamp(), stamps.back());
  queue_.fail(first, CellState::failed, "no luck");
  changes("failed");
  planning_.plan_again(train_.key, "again");
  changes("planned again");
  queue_.finish(claim(train_), train_result());
  changes("finished");
  planning_.set_not_applicable(eval_.key, "no");
  changes("not applicable");
  planning_.put_experiment(testing::sample_experiment("two", "c2"));
  changes("another experiment");
}

TEST_F(ResultsTest, EventsComeOldestFirst) {
  for (const char* message : {"a", "b", "c"}) queue_.event("info", "", message);
  const auto events = results_.events(2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].message, "b");
  EXPECT_EQ(events[1].message, "c");
  EXPECT_EQ(events[1].time_utc.size(), 20u);
}

}  // namespace
}  // namespace nearfar
