#include "work/evaluate.h"

#include "base/error.h"
#include "base/files.h"
#include "base/npy.h"
#include "work/outcomes.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace nearfar {
namespace {

class MetricRows : public ::testing::Test {
 protected:
  ScoreFile file(const std::string& name, const std::vector<float>& scores) const {
    const auto path = folder_.path() / (name + ".npy");
    const std::array<std::int64_t, 1> shape{static_cast<std::int64_t>(scores.size())};
    write_npy<float>(path, shape, scores);
    return {name, path};
  }
  static double value(const std::vector<MetricRow>& rows, const std::string& protocol, const std::string& dataset) {
    for (const MetricRow& row : rows) {
      if (row.protocol == protocol && row.dataset == dataset && row.metric == "auroc") return row.value;
    }
    ADD_FAILURE() << "no row " << protocol << ' ' << dataset;
    return -1;
  }
  TempDir folder_;
};

TEST_F(MetricRows, ComparesTestWithEachOodSet) {
  // far: pairs (1,1) tie, (1,2) win, (1,1) tie, (1,2) win -> 3 of 4; near: everything below -> 0
  const auto rows = metric_rows(
      {file("test", {1, 1}), file("near/a", {0, 0}), file("far/b", {1, 2}), file("control/c", {5})}, {{"ood", {}}});
  ASSERT_EQ(rows.size(), 3U * 4U);
  EXPECT_DOUBLE_EQ(value(rows, "ood", "a"), 0);
  EXPECT_DOUBLE_EQ(value(rows, "ood", "b"), 0.75);
  EXPECT_DOUBLE_EQ(value(rows, "ood", "c"), 1);
  EXPECT_EQ(rows[0].group, "near");
  EXPECT_EQ(rows[8].group, "control");
}

TEST_F(MetricRows, PoolsShiftedImagesWithTestUnderFsoodOnly) {
  // fsood: ID = {1, 3} against {2}: one win, one loss -> 0.5; ood: {1} against {2} -> 1
  const auto rows =
      metric_rows({file("test", {1}), file("csid/c", {3}), file("far/b", {2})}, {{"ood", {}}, {"fsood", {"csid/c"}}});
  EXPECT_DOUBLE_EQ(value(rows, "ood", "b"), 1);
  EXPECT_DOUBLE_EQ(value(rows, "fsood", "b"), 0.5);
  for (const MetricRow& row : rows) EXPECT_NE(row.group, "csid");
}

TEST_F(MetricRows, NamesTheFolderOfScoresThatAreNotNumbers) {
  const auto bad = file("far/b", {std::numeric_limits<float>::quiet_NaN()});
  try {
    metric_rows({file("test", {1}), bad}, {{"ood", {}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find(folder_.path().string()), std::string::npos) << error.what();
  }
}

TEST(Outcome, FlagsSayHowManyImagesWereLeftOutOrDamaged) {
  EXPECT_EQ(outcome_of(wire::Passed{}).flags, "");
  EXPECT_EQ(outcome_of(wire::Passed{.unreadable = 2}).flags, "skipped-images=2");
  EXPECT_EQ(outcome_of(wire::Measured{.damaged = 3}).flags, "damaged-images=3");
  EXPECT_EQ(outcome_of(wire::Passed{.unreadable = 2, .damaged = 3}).flags, "damaged-images=3;skipped-images=2");
}

TEST(Outcome, KeepsWhichImagesTheClassifierIsRightOn) {
  const Outcome outcome = outcome_of(wire::Measured{
      .accuracy = {{"ood", "test", 0.75}}, .correct = {{"correct/test", "cells/a/correct/test.npy", "c0", 4}}});
  ASSERT_EQ(outcome.scores.size(), 1u);
  EXPECT_EQ(outcome.scores[0].set, "correct/test");
  EXPECT_EQ(outcome.scores[0].path, "cells/a/correct/test.npy");
  EXPECT_EQ(outcome.scores[0].sha256, "c0");
  EXPECT_EQ(outcome.scores[0].count, 4);
}

}  // namespace
}  // namespace nearfar
