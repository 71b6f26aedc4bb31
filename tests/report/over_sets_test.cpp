#include "report/over_sets.h"

#include "report/fake_results.h"
#include "report/leaderboard.h"
#include "report/leaderboard_forms.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

using testing::FakeResults, testing::subject;

/// A board of `sets` sets, half of them near, the rest far, and a control; one row a method, of one seed.
class OverSetsTest : public ::testing::Test {
 protected:
  void add(const std::string& postprocessor, const std::vector<double>& auroc) {
    std::vector<MetricRow> values{{"ood", "control", "noise", "auroc", 1 - auroc[0]}};
    for (std::size_t set = 0; set < auroc.size(); ++set) {
      const std::string name = fmt::format("set{}", set);
      values.push_back({"ood", set % 2 == 0 ? "near" : "far", name, "auroc", auroc[set]});
    }
    store_.add(subject("ce", 0, postprocessor), values);
  }
  LeaderboardBoard board() const { return make_leaderboard(load_results(store_)).boards.at(0); }
  nlohmann::json json() const {
    return nlohmann::json::parse(leaderboard_json(make_leaderboard(load_results(store_)))).at("boards").at(0);
  }

  FakeResults store_;
};

TEST_F(OverSetsTest, FewSetsGetASentenceInsteadOfAVerdict) {
  add("a", {0.9, 0.8, 0.9});
  add("b", {0.8, 0.9, 0.7});
  const OverSets over = board().over_sets;
  EXPECT_EQ(over.sets, (std::vector<std::string>{"near/set0", "near/set2", "far/set1"}));
  EXPECT_EQ(over.too_few, "too few data sets (3 of 6)");
  EXPECT_FALSE(over.significant());
  EXPECT_TRUE(over.cliques.empty());
  EXPECT_EQ(over_sets_sentence(over),
            "Over data sets nothing is tested: a verdict needs 6 near and far sets at least, here are 3.");
  const nlohmann::json shown = json().at("over_sets");
  EXPECT_EQ(shown.at("too_few"), "too few data sets (3 of 6)");
  EXPECT_TRUE(shown.at("friedman").is_null());
  EXPECT_TRUE(shown.at("cliques").is_null());
  EXPECT_EQ(shown.at("mean_ranks").size(), 2u);
}

TEST_F(OverSetsTest, OneRowIsNotTested) {
  add("a", std::vector<double>(7, 0.9));
  EXPECT_EQ(board().over_sets.too_few, "one ranked row");
  EXPECT_EQ(over_sets_sentence(board().over_sets), "Over data sets nothing is tested: one ranked row.");
}

TEST_F(OverSetsTest, MethodsThatDifferAreGrouped) {
  // a and b take turns at the top; c is third, d fourth, on every set.
  std::vector<double> a, b, c, d;
  for (int set = 0; set < 8; ++set) {
    a.push_back(set % 2 == 0 ? 0.95 : 0.94);
    b.push_back(set % 2 == 0 ? 0.94 : 0.95);
    c.push_back(0.8);
    d.push_back(0.7);
  }
  add("c", c);
  add("a", a);
  add("d", d);
  add("b", b);
  add("random", std::vector<double>(8, 0.5));
  const LeaderboardBoard shown = board();
  EXPECT_EQ(shown.over_sets.methods, 4u) << "the control is no method";
  EXPECT_EQ(shown.over_sets.friedman.mean_ranks, (std::vector{1.5, 1.5, 3.0, 4.0})) << "in the order of the rows";
  EXPECT_TRUE(shown.over_sets.significant());
  EXPECT_EQ(shown.over_sets.cliques, (std::vector<std::vector<std::size_t>>{{0, 1}}));
  // Ranks: squares 8 * 30 = 240, C = 8 * 4 * 25 / 4 = 200, sums 12, 12, 24, 32 of 20 each: T1 = 3 * 288 / 40 = 21.6,
  // T2 = 7 * 21.6 / (24 - 21.6) = 63.
  EXPECT_EQ(over_sets_sentence(shown.over_sets),
            "Over 8 data sets the 4 ranked rows differ (Friedman's test with Iman and Davenport's F on AUROC: F = "
            "63.00, p < 0.0001); one other cannot be told from the best mean rank (Conover's test, Holm, 5 %).");
  const nlohmann::json over = json().at("over_sets");
  EXPECT_NEAR(over.at("friedman").at("f").get<double>(), 63, 1e-9);
  EXPECT_NEAR(over.at("friedman").at("chi_square").get<double>(), 21.6, 1e-9);
  EXPECT_EQ(over.at("cliques"), (std::vector<std::vector<int>>{{0, 1}}));
  EXPECT_TRUE(over.at("too_few").is_null());
  const std::string sentence = "Over 8 data sets the 4 ranked rows differ";
  EXPECT_NE(leaderboard_text(make_leaderboard(load_results(store_))).find(sentence), std::string::npos);
}

TEST_F(OverSetsTest, MethodsThatTakeTurnsCannotBeToldApart) {
  add("a", {0.9, 0.8, 0.9, 0.8, 0.9, 0.8});
  add("b", {0.8, 0.9, 0.8, 0.9, 0.8, 0.9});
  const OverSets over = board().over_sets;
  EXPECT_FALSE(over.significant());
  EXPECT_EQ(over.cliques, (std::vector<std::vector<std::size_t>>{{0, 1}})) << "all of them";
  EXPECT_TRUE(over_sets_sentence(over).starts_with("Over 6 data sets the 2 ranked rows cannot be told apart ("))
      << over_sets_sentence(over);
}

TEST_F(OverSetsTest, AnInfiniteFIsTold) {
  add("a", std::vector<double>(6, 0.9));
  add("b", std::vector<double>(6, 0.8));
  EXPECT_TRUE(json().at("over_sets").at("friedman").at("f").is_null());
  EXPECT_NEAR(json().at("over_sets").at("friedman").at("f_p").get<double>(), 1.0 / 32, 1e-12);
  EXPECT_NE(over_sets_sentence(board().over_sets).find("F infinite, as all sets rank alike, p = 0.0312"),
            std::string::npos)
      << over_sets_sentence(board().over_sets);
}

}  // namespace
}  // namespace nearfar
