/// What nearfar merge makes of databases of several hosts.
#include "store/merge.h"

#include "base/error.h"
#include "store/shard_sample.h"
#include "support/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using testing::dump_of, testing::shard_eval, testing::shard_train, testing::ShardMaker;
using ::testing::HasSubstr;

class Merge : public ::testing::Test {
 protected:
  MergeSummary merge(const std::vector<fs::path>& shards, const MergeOptions& options = {}) const {
    return merge_databases(all_, shards, options);
  }
  /// The message of the refusal; "" if it was merged.
  std::string refusal(const std::vector<fs::path>& shards, const MergeOptions& options = {}) const {
    try {
      merge(shards, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  CellDetails cell(const CellRecord& record) const {
    return Session::open_read_only(all_).results().find(record.key).value();
  }
  double near_auroc(const CellRecord& record) const {
    for (const MetricRow& row : cell(record).outcome.metrics) {
      if (row.dataset == "cousins" && row.metric == "auroc") return row.value;
    }
    return -1;
  }

  TempDir folder_;
  fs::path a_ = folder_.path() / "a", b_ = folder_.path() / "b", all_ = folder_.path() / "all" / "all.sqlite";
};

TEST_F(Merge, HasWhatTheShardHas) {
  ShardMaker a(a_);
  a.all();
  const MergeSummary summary = merge({a.file()});
  EXPECT_EQ(summary.cells, 3);
  EXPECT_EQ(summary.results, 3);
  EXPECT_EQ(summary.shards.at(0).new_runs, 3);
  const CellDetails train = cell(shard_train());
  EXPECT_EQ(train.status.state, CellState::ok);
  EXPECT_EQ(train.outcome.curve.size(), 1u);
  EXPECT_EQ(train.outcome.artifacts.size(), 1u);
  EXPECT_EQ(train.factors.size(), 2u);
  const ResultsFrame merged = Session::open_read_only(all_).results().frame(), own = a.session().results().frame();
  ASSERT_EQ(merged.values.size(), own.values.size());
  for (std::size_t i = 0; i < own.values.size(); ++i) EXPECT_EQ(merged.values[i].value, own.values[i].value);
  EXPECT_EQ(Session::open_read_only(all_).results().cells("one").size(), 3u);
}

TEST_F(Merge, ShardsOfOlderVersionsComeAlong) {
  fs::create_directories(a_);
  fs::copy_file(testing::source_dir() / "tests/golden/store_v1/results.sqlite", a_ / "results.sqlite");
  const ResultsFrame own = Session::open_read_only(a_ / "results.sqlite").results().frame();
  const MergeSummary summary = merge({a_ / "results.sqlite"});
  EXPECT_GT(summary.results, 0);
  const ResultsFrame merged = Session::open_read_only(all_).results().frame();
  ASSERT_EQ(merged.values.size(), own.values.size());
  for (std::size_t i = 0; i < own.values.size(); ++i) EXPECT_EQ(merged.values[i].value, own.values[i].value);
}

TEST_F(Merge, AgainAddsNothing) {
  ShardMaker a(a_), b(b_);
  a.all(0.8);
  b.all(0.9);
  merge({a.file(), b.file()});
  const std::string once = dump_of(all_);
  const MergeSummary again = merge({b.file(), a.file(), b.file()});
  EXPECT_TRUE(dump_of(all_) == once);
  EXPECT_EQ(again.shards.at(0).new_runs, 0);
  EXPECT_EQ(again.flagged, 2) << "still told";
}

TEST_F(Merge, KeepsBothAttemptsAndTheNewestCounts) {
  ShardMaker a(a_), b(b_);
  a.all(0.8);
  b.all(0.9);
  for (const bool reversed : {false, true}) {
    fs::remove_all(all_.parent_path());
    merge(reversed ? std::vector{b.file(), a.file()} : std::vector{a.file(), b.file()});
    const CellDetails knn = cell(shard_eval("knn"));
    ASSERT_EQ(knn.runs.size(), 2u);
    EXPECT_EQ(knn.runs[0].state, CellState::ok);
    EXPECT_EQ(knn.runs[1].state, CellState::ok);
    EXPECT_EQ(near_auroc(shard_eval("knn")), 0.9) << "b was claimed later; in whatever order they are merged";
  }
}

TEST_F(Merge, AModelsNumbersComeFromWhereItsCheckpointLies) {
  ShardMaker a(a_), b(b_);
  b.train();
  const std::string checkpoint_of_a = a.train();
  a.eval("knn", 0.8);
  b.eval("knn", 0.9);  // newer, but on b's checkpoint
  b.eval("msp", 0.7);  // only b has it
  merge({a.file(), b.file()});
  EXPECT_EQ(cell(shard_train()).runs.back().uid, checkpoint_of_a);
  EXPECT_EQ(near_auroc(shard_eval("knn")), 0.8);
  EXPECT_EQ(near_auroc(shard_eval("msp")), 0.7);
}

TEST_F(Merge, ThenWorkGoesOnThere) {
  ShardMaker a(a_), b(b_);
  a.all(0.8);
  b.train();
  b.session().queue().fail(b.claim(shard_eval("knn")), CellState::failed, "no");
  merge({b.file(), a.file()});
  Session session = Session::open(all_);
  EXPECT_EQ(session.results().state(shard_eval("knn").key), CellState::ok) << "one host's failure is no failure";
  ASSERT_TRUE(session.planning().plan_again(shard_eval("knn").key, "files gone"));
  testing::run(session, shard_eval("knn"), testing::eval_result({0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}));
  EXPECT_EQ(near_auroc(shard_eval("knn")), 0.5);
}

TEST_F(Merge, FailuresAreCarriedUntilSomebodySucceeds) {
  ShardMaker a(a_), b(b_);
  a.train();
  a.session().queue().fail(a.claim(shard_eval("knn")), CellState::nan, "not a number");
  merge({a.file()});
  EXPECT_EQ(cell(shard_eval("knn")).status.state, CellState::nan);
  EXPECT_EQ(cell(shard_eval("knn")).status.message, "not a number");
  EXPECT_EQ(cell(shard_eval("msp")).status.state, CellState::planned);
  b.all();
  merge({b.file()});
  EXPECT_EQ(cell(shard_eval("knn")).status.state, CellState::ok);
  EXPECT_EQ(cell(shard_eval("knn")).runs.size(), 2u);
}

TEST_F(Merge, NumbersThatDifferAreFlaggedBeyondTheTolerance) {
  ShardMaker a(a_), b(b_);
  a.train();
  b.train();
  a.eval("knn", 0.8);
  b.eval("knn", 0.8009);
  a.eval("msp", 0.8);
  b.eval("msp", 0.802);
  const MergeSummary summary = merge({a.file(), b.file()});
  ASSERT_EQ(summary.disagreements.size(), 1u);
  EXPECT_EQ(summary.disagreements[0].key, shard_eval("msp").key);
  EXPECT_EQ(summary.disagreements[0].what, "ood near/cousins auroc");
  EXPECT_DOUBLE_EQ(summary.disagreements[0].largest, 0.802);
  EXPECT_EQ(cell(shard_eval("msp")).outcome.flags, kDisagreeFlag);
  EXPECT_EQ(cell(shard_eval("knn")).outcome.flags, "");
  const Session session = Session::open_read_only(all_);
  EXPECT_THAT(session.results().events().back().message, HasSubstr("80.0000 … 80.2000 %"));
  for (const ResultSubject& subject : session.results().frame().subjects)
    EXPECT_EQ(subject.flags, subject.postprocessor == "msp" ? kDisagreeFlag : "") << "what reports read";
}

TEST_F(Merge, RunsThatHaveNotEndedAreLeftOut) {
  ShardMaker a(a_);
  a.train();
  const std::string running = a.claim(shard_eval("knn"));
  EXPECT_EQ(merge({a.file()}).shards.at(0).unfinished, 1);
  EXPECT_EQ(cell(shard_eval("knn")).status.state, CellState::planned);
  a.session().queue().finish(running, testing::eval_result({0.8, 0.8, 0.8, 1}, {0, 0, 0, 0}));
  EXPECT_EQ(merge({a.file()}).shards.at(0).new_runs, 1);
  EXPECT_EQ(cell(shard_eval("knn")).status.state, CellState::ok);
}

TEST_F(Merge, FilesBesideAShardAreFoundFromElsewhere) {
  ShardMaker a(a_);
  a.all();
  EXPECT_EQ(merge({a.file()}).shards.at(0).missing_at, a_);
  EXPECT_EQ(cell(shard_train()).location, fs::canonical(a_));
  write_file_atomic(a_ / "cells/0123456789abcdef/best.safetensors", "weights");
  EXPECT_EQ(merge({a.file()}).shards.at(0).missing_at, "");
}

TEST_F(Merge, OtherImagesUnderOneNameAreRefused) {
  ShardMaker a(a_), b(b_, testing::shard_benchmark("f1", "0da7a"));
  a.all();
  b.all();
  const std::string message = refusal({a.file(), b.file()});
  EXPECT_THAT(message, HasSubstr("set far/digits has other images"));
  EXPECT_THAT(message, HasSubstr("--allow-mixed"));
  EXPECT_FALSE(fs::exists(all_) && !Session::open_read_only(all_).results().cells().empty()) << "nothing was merged";
}

TEST_F(Merge, AnotherSelectionOfTheSameImagesIsNot) {
  ShardMaker a(a_), b(b_, testing::shard_benchmark("f0", "0da7a"));  // it reads other sets besides, say
  a.train();
  b.train();
  EXPECT_EQ(refusal({a.file(), b.file()}), "");
  EXPECT_EQ(Session::open_read_only(all_).results().benchmarks().size(), 2u);
}

TEST_F(Merge, MixedImagesBecomeBoardsOfTheirOwnWhereAsked) {
  ShardMaker a(a_), b(b_, testing::shard_benchmark("f1", "0da7a"));
  a.train();
  b.train();
  EXPECT_EQ(refusal({a.file(), b.file()}, {.allow_mixed = true}), "");
  EXPECT_EQ(Session::open_read_only(all_).results().benchmarks().size(), 2u);
}

TEST_F(Merge, NotIntoItself) {
  ShardMaker a(a_);
  all_ = a.file();
  EXPECT_THAT(refusal({a.file()}), HasSubstr("name another file with -o"));
}

TEST_F(Merge, NotUnderTheHandsOfAWorker) {
  ShardMaker a(a_), b(b_);
  b.all();
  (void)a.claim(shard_train());  // this process lives
  all_ = a.file();
  EXPECT_THAT(refusal({b.file()}), HasSubstr("a process is working with it"));
}

TEST_F(Merge, ShardOfAnUnfinishedCopyIsRefused) {
  ShardMaker a(a_);
  a.all();
  SQLite::Database(a.file().string(), SQLite::OPEN_READWRITE).exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string bytes = read_file(a.file());
  const fs::path half = folder_.path() / "half.sqlite";
  write_file_atomic(half, bytes.substr(0, bytes.size() / 2));
  EXPECT_NE(refusal({half}), "");
  EXPECT_FALSE(fs::exists(all_));
}

}  // namespace
}  // namespace nearfar
