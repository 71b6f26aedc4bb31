/// Which points a search of parameters tries. The drawn numbers are those of a program of its own (SplitMix64 in
/// Python), so they hold on every machine.
#include "plan/search.h"

#include "../host/expect_error.h"
#include "config/document.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace nearfar {
namespace {

using Texts = std::vector<std::string>;

PluginDescription plugin() {
  PluginDescription made;
  made.name = "knn";
  made.params = {
      {.name = "k", .type = ParamType::integer, .default_value = std::int64_t{50}, .minimum = 1, .maximum = 1000000},
      {.name = "alpha", .type = ParamType::number, .default_value = 0.5, .minimum = 0, .maximum = 10},
      {.name = "exact", .type = ParamType::boolean, .default_value = false},
      {.name = "metric", .type = ParamType::text, .default_value = std::string("l2"), .choices = {"l2", "cosine"}},
      {.name = "gamma", .type = ParamType::number, .default_value = 0.1, .minimum = 0.001, .maximum = 100},
      {.name = "picks", .type = ParamType::file, .default_value = std::string()}};
  made.sweep = grid_from_text(made.params, "k=50,100;alpha=0.1,1", "knn");
  made.tuned = true;
  return made;
}

/// `tune` and `search` as in [postprocessor.knn] of a file x.toml.
SearchPlan search(const std::string& lines, const ParamMap& params = {}) {
  const Value document = parse_toml(lines, "x.toml");
  const TuneChoice tune =
      read_tune(find_value(document, {"tune"}), find_value(document, {"search"}), {}, "[postprocessor.knn]");
  return plan_search(plugin(), {.name = "knn", .params = params, .param_where = {}, .where = {}, .tune = tune});
}

Texts points(const ParamGrid& grid) {
  Texts all;
  for (std::size_t i = 0; i < grid.size(); ++i) all.push_back(canonical_params(grid.point(i)));
  return all;
}

TEST(SearchPlan, WithoutSearchIsEveryCombination) {
  const SearchPlan plan = search("tune = { alpha = [0.1, 1], k = [5, 50] }");
  EXPECT_EQ(grid_text(plan.grid), "k=5,50;alpha=0.1,1");
  EXPECT_EQ(plan.text, "{k=5,50 alpha=0.1,1}");
  EXPECT_EQ(search("tune = 'openood'").text, "openood");
  EXPECT_EQ(search("tune = 'openood'").grid, plugin().sweep);
  EXPECT_EQ(search("tune = 'openood'", {{"k", std::int64_t{5}}}).text, "{alpha=0.1,1}");
  EXPECT_TRUE(search("tune = 'none'").grid.empty());
}

TEST(SearchPlan, ARangeIsAList) {
  EXPECT_EQ(search("tune = { k = { range = [10, 30], step = 10 } }").grid, search("tune = { k = [10, 20, 30] }").grid);
  const SearchPlan longer =
      search("tune = { k = { range = [10, 500], step = 10 }, alpha = { range = [0, 10], step = 0.1 } }");
  EXPECT_EQ(longer.grid.size(), 50U * 101U);
  EXPECT_EQ(longer.text, "{k=range(10,500,10) alpha=range(0,10,0.1)}");
  EXPECT_ERROR(search("tune = { k = { range = [1, 2], step = 0.5 } }"), ErrorKind::config,
               "x.toml:1:14: tune of postprocessor 'knn': parameter 'k' is 1.5; expected an integer");
}

TEST(SearchPlan, DrawsIntegersForAnIntegerAndNumbersForANumber) {
  EXPECT_EQ(points(search("tune = { k = { between = [1, 500] } }\nsearch = { trials = 6 }").grid),
            (Texts{"k=70", "k=135", "k=418", "k=110", "k=237", "k=4"}));
  EXPECT_EQ(points(search("tune = { alpha = { between = [0, 10] } }\nsearch = { trials = 3 }").grid),
            (Texts{"alpha=1.38709410146", "alpha=2.6913031959", "alpha=8.35702279953"}));
  EXPECT_ERROR(search("tune = { k = { between = [1.5, 500] } }\nsearch = { trials = 6 }"), ErrorKind::config,
               "x.toml:1:14: ", "'k' is 1.5; expected an integer from 1 to 1000000");
}

TEST(SearchPlan, SeveralAxesAreDrawnWhateverTheirOrder) {
  const char* one =
      "search = { trials = 4, seed = 7 }\ntune = { alpha = { between = [1e-4, 1e-1], log = true }, k = { between = [1, "
      "500] } }";
  const char* other =
      "tune = { k = { between = [1, 500] }, alpha = { log = true, between = [0.0001, 0.1] } }\nsearch = { seed = 7, "
      "trials = 4 }";
  const SearchPlan plan = search(one);
  EXPECT_EQ(points(plan.grid), (Texts{"alpha=0.00673261179659;k=482", "alpha=0.00205715973022;k=396",
                                      "alpha=0.00331745619693;k=208", "alpha=0.00675092048301;k=32"}));
  EXPECT_EQ(grid_text(plan.grid),
            "zip;k=482,396,208,32;alpha=0.00673261179659,0.00205715973022,0.00331745619693,0.00675092048301");
  EXPECT_EQ(plan.text, "{4 random points of seed 7: k=between(1,500) alpha=between(0.0001,0.1,log)}");
  EXPECT_EQ(search(other).grid, plan.grid);
  EXPECT_EQ(search(other).text, plan.text);
  EXPECT_EQ(grid_from_text(plugin().params, grid_text(plan.grid), "x"), plan.grid);
}

TEST(SearchPlan, DrawsDifferentPointsAlone) {
  EXPECT_EQ(points(search("tune = { k = { between = [1, 9] } }\nsearch = { trials = 6 }").grid),
            (Texts{"k=2", "k=3", "k=8", "k=5", "k=1", "k=9"}));
  // Nearly all draws of the logarithm are small: the rare ones are filled in, and there are as many as asked for.
  const SearchPlan rare = search("tune = { k = { between = [1, 1000], log = true } }\nsearch = { trials = 999 }");
  const Texts all = points(rare.grid);
  EXPECT_EQ(all.size(), 999U);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 999U);
}

TEST(SearchPlan, MoreTrialsGoOnWhereFewerEnd) {
  const auto with = [](const std::string& trials) {
    return points(
        search("tune = { k = { between = [1, 500] }, exact = [true, false] }\nsearch = { trials = " + trials + " }")
            .grid);
  };
  const Texts few = with("5"), many = with("20");
  EXPECT_EQ(few, Texts(many.begin(), many.begin() + 5));
}

TEST(SearchPlan, NoMorePointsThanTrialsAreAllInTheGridsOrder) {
  const SearchPlan all = search("tune = { alpha = [0.1, 1], k = { between = [5, 7] } }\nsearch = { trials = 6 }");
  const SearchPlan grid = search("tune = { k = [5, 6, 7], alpha = [0.1, 1] }");
  EXPECT_EQ(all.grid, grid.grid);  // and so they are the same cell
  EXPECT_EQ(all.text, grid.text);
  EXPECT_EQ(search("tune = 'openood'\nsearch = { trials = 4 }").text, "openood");
  EXPECT_EQ(points(search("tune = 'openood'\nsearch = { trials = 3 }").grid).size(), 3U);
  EXPECT_EQ(search("tune = 'openood'\nsearch = { trials = 3 }").text,
            "{3 random points of seed 0: k=50,100 alpha=0.1,1}");
}

TEST(SearchPlan, DeclaredRangesAreThePlugins) {
  const SearchPlan plan = search("tune = ['alpha', 'exact', 'metric']\nsearch = { trials = 5 }");
  EXPECT_EQ(plan.text, "{5 random points of seed 0: alpha=between(0,10) exact=false,true metric=l2,cosine}");
  EXPECT_EQ(plan.grid.size(), 5U);
  EXPECT_ERROR(search("tune = ['k']\nsearch = { trials = 5 }"), ErrorKind::config,
               "x.toml:1:9: ", "'k' is declared from 1 to 1000000, too wide to draw from",
               "tune = { k = { between = [5, 500], log = true } }");
  EXPECT_ERROR(search("tune = ['gamma']\nsearch = { trials = 5 }"), ErrorKind::config,
               "tune = { gamma = { between = [0.01, 1], log = true } }");
  EXPECT_ERROR(search("tune = ['picks']\nsearch = { trials = 5 }"), ErrorKind::config,
               "'picks' is a file and cannot be searched");
  EXPECT_ERROR(search("tune = ['kk']\nsearch = { trials = 5 }"), ErrorKind::config,
               "x.toml:1:9: ", "unknown parameter 'kk'; did you mean 'k'?");
}

TEST(SearchPlan, RefusesWhatCannotBeDrawn) {
  EXPECT_ERROR(search("tune = { k = { between = [0, 5] } }\nsearch = { trials = 5 }"), ErrorKind::config, "x.toml:1:14",
               "parameter 'k' is 0; expected an integer from 1 to 1000000");
  EXPECT_ERROR(search("tune = { alpha = { between = [0, 50] } }\nsearch = { trials = 5 }"), ErrorKind::config,
               "parameter 'alpha' is 50; expected a number from 0 to 10");
  EXPECT_ERROR(search("tune = { exact = { between = [0, 1] } }\nsearch = { trials = 5 }"), ErrorKind::config,
               "parameter 'exact' is 0; expected true or false");
  EXPECT_ERROR(search("tune = { beta = { between = [0, 1] } }\nsearch = { trials = 5 }"), ErrorKind::config,
               "unknown parameter 'beta'");
  EXPECT_ERROR(search("tune = { alpha = { between = [1, 1.00000000001] } }\nsearch = { trials = 50 }"),
               ErrorKind::config, "x.toml:2:10: ", "different points, and 'trials' is 50");
}

TEST(SearchPlan, LongListsAreShortInAReport) {
  std::string values = "1";
  for (int k = 2; k <= 100; ++k) values += "," + std::to_string(k * k);
  const std::string text = search("tune = { k = [" + values + "] }\nsearch = { trials = 9 }").text;
  EXPECT_TRUE(text.starts_with("{9 random points of seed 0: k=1,…,10000 (100 values, ")) << text;
  // Rows of a report are told apart by their texts.
  values.replace(values.find(",16,"), 4, ",17,");
  EXPECT_NE(search("tune = { k = [" + values + "] }\nsearch = { trials = 9 }").text, text);
  EXPECT_EQ(search("tune = { k = [" + values + "] }").text, "{k=" + values + "}") << "a grid is shown as it is written";
}

}  // namespace
}  // namespace nearfar
