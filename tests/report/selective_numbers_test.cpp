#include "report/selective_numbers.h"

#include "metrics/selective.h"
#include "report/fake_results.h"
#include "report/leaderboard_forms.h"

#include <nearfar/error.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

using testing::FakeResults, testing::sample, testing::subject;

const Evidence kEvidence{.scores = {{"test", {0.3, 0.1, 0.4, 0.2}},
                                    {"csid/fog", {0.5, 0.6}},
                                    {"near/cousins", {0.35}},
                                    {"far/digits", {0.9}},
                                    {"far/letters", {0.25}},
                                    {"control/noise", {0.0}}},
                         .correct = {{"test", {1, 1, 0, 0}}, {"csid/fog", {1, 0}}}};

double value(const std::vector<LeaderboardNumber>& numbers, const std::string& group, const std::string& dataset,
             const std::string& metric) {
  for (const LeaderboardNumber& number : numbers) {
    if (number.group == group && number.dataset == dataset && number.metric == metric) return number.value.mean;
  }
  ADD_FAILURE() << "no " << group << " " << dataset << " " << metric;
  return -1;
}

TEST(SelectiveNumbers, AreOfIdAloneAndWithTheGroups) {
  const std::vector<LeaderboardNumber> numbers = selective_numbers(kEvidence, "ood");
  EXPECT_EQ(numbers.size(), 6u) << "no control, no shifted images";
  EXPECT_DOUBLE_EQ(value(numbers, "id", "test", "aurc"), (1.0 / 2 + 1.0 / 3 + 2.0 / 4) / 4);
  EXPECT_DOUBLE_EQ(value(numbers, "id", "test", "augrc"), 3.0 / 16);
  const std::vector<double> scores{0.3, 0.1, 0.4, 0.2}, far{0.9, 0.25};
  const std::vector<std::uint8_t> correct{1, 1, 0, 0};
  EXPECT_EQ(value(numbers, "far", "test+far", "aurc"), selective_risk(scores, correct, far).aurc) << "pooled";
  EXPECT_EQ(value(numbers, "near", "test+near", "augrc"), selective_risk(scores, correct, std::vector{0.35}).augrc);
}

TEST(SelectiveNumbers, OfFsoodHaveTheShiftedImages) {
  const std::vector<LeaderboardNumber> numbers = selective_numbers(kEvidence, "fsood");
  const std::vector<double> scores{0.3, 0.1, 0.4, 0.2, 0.5, 0.6};
  const std::vector<std::uint8_t> correct{1, 1, 0, 0, 1, 0};
  EXPECT_DOUBLE_EQ(value(numbers, "id", "test+csid", "aurc"), selective_risk(scores, correct).aurc);
  EXPECT_GT(value(numbers, "near", "test+csid+near", "aurc"), 0);
}

TEST(SelectiveNumbers, NeedScoresAndMarks) {
  EXPECT_TRUE(selective_numbers({.scores = kEvidence.scores}, "ood").empty());
  EXPECT_TRUE(selective_numbers({.correct = kEvidence.correct}, "ood").empty());
  Evidence unmarked = kEvidence;
  unmarked.correct.erase("csid/fog");
  EXPECT_TRUE(selective_numbers(unmarked, "fsood").empty());
  EXPECT_FALSE(selective_numbers(unmarked, "ood").empty());
  Evidence other = kEvidence;
  other.correct["test"] = {1, 1, 0};
  EXPECT_THROW(selective_numbers(other, "ood"), Error);
}

TEST(SelectiveNumbers, AreMeansOverSeedsInTheJsonAlone) {
  const FakeResults store = sample();
  const Results results = load_results(store);
  Leaderboard leaderboard = make_leaderboard(results);
  const std::string csv = leaderboard_csv(leaderboard);
  add_selective(leaderboard, results, [](const ResultSubject& one) {
    if (one.training == "supcon" && one.seed == 1) return Evidence{};  // a seed without: the row has none
    Evidence evidence{.scores = {{"test", {0.1, 0.2}}}, .correct = {{"test", {1, 0}}}};
    if (one.seed == 1) evidence.correct["test"] = {0, 1};
    return evidence;
  });
  for (const LeaderboardRow& row : leaderboard.boards.at(0).rows) {
    if (row.training == "supcon") {
      EXPECT_TRUE(row.selective.empty());
    } else if (row.postprocessor == "knn") {
      // Seed 0: (0 + 1/2) / 2; seed 1: (1 + 1/2) / 2; population standard deviation 1/4.
      ASSERT_EQ(row.selective.size(), 2u);
      EXPECT_DOUBLE_EQ(row.selective[0].value.mean, 0.5);
      EXPECT_DOUBLE_EQ(row.selective[0].value.std, 0.25);
      EXPECT_EQ(row.selective[0].by_seed, (std::vector{0.25, 0.75}));
    }
  }
  EXPECT_EQ(leaderboard_csv(leaderboard), csv) << "its rows are fixed";
  EXPECT_NE(leaderboard_json(leaderboard).find("\"augrc\""), std::string::npos);
}

}  // namespace
}  // namespace nearfar
