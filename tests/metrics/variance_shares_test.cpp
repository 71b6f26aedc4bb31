/// Against cases worked by hand, and statsmodels (tools/make_ablation_golden.py).
#include "metrics/variance_shares.h"

#include "support/golden.h"

#include <nearfar/error.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

namespace nearfar {
namespace {

using nlohmann::json;
using Rows = std::vector<std::vector<double>>;

TEST(VarianceShares, ABalancedGridByHand) {
  // a: 0 0 1 1, b: 0 1 0 1, values 1 2 4 7: mean 3.5, total 6.25 + 2.25 + 0.25 + 12.25 = 21.
  // Means of a: 1.5 and 5.5 -> 4 * 2^2 = 16. Of b: 2.5 and 4.5 -> 4 * 1^2 = 4. The rest, 1, is their product.
  const std::vector<VarianceAxis> axes{{.levels = {0, 0, 1, 1}}, {.levels = {0, 1, 0, 1}}};
  const VarianceShares found = variance_shares(axes, Rows{{1}, {2}, {4}, {7}});
  EXPECT_TRUE(found.balanced);
  EXPECT_NEAR(found.total, 21, 1e-12);
  EXPECT_NEAR(found.shares[0], 16.0 / 21, 1e-12);
  EXPECT_NEAR(found.shares[1], 4.0 / 21, 1e-12);
  EXPECT_NEAR(found.interaction, 1.0 / 21, 1e-12);
  EXPECT_TRUE(found.has_products);
  EXPECT_NEAR(found.residual, 0, 1e-12);
  EXPECT_NEAR(found.shared, 0, 1e-12);
  EXPECT_EQ(found.seeds, 0);
}

TEST(VarianceShares, OneChangeAtATimeByHand) {
  // Baseline 0, a = 1 gives 3, b = 1 gives 0: mean 1, total 1 + 4 + 1 = 6. Without a the fit has two groups by b,
  // {0, 3} and {0}: RSS 4.5. Without b: {0, 0} and {3}: RSS 0. With both: 0. So a has 4.5 / 6; 1.5 / 6 is in neither
  // alone, as rows of b = 1 are all rows of a = 0.
  const std::vector<VarianceAxis> axes{{.levels = {0, 1, 0}}, {.levels = {0, 0, 1}}};
  const VarianceShares found = variance_shares(axes, Rows{{0}, {3}, {0}});
  EXPECT_FALSE(found.balanced);
  EXPECT_FALSE(found.has_products) << "nothing is known of interactions";
  EXPECT_NEAR(found.shares[0], 0.75, 1e-12);
  EXPECT_NEAR(found.shares[1], 0, 1e-12);
  EXPECT_NEAR(found.shared, 0.25, 1e-12);
}

TEST(VarianceShares, SeedsByHand) {
  // Rows {0, 2} and {4, 6}: within 1 + 1 + 1 + 1 = 4; between 2 * 2^2 + 2 * 2^2 = 16.
  const std::vector<VarianceAxis> axes{{.levels = {0, 1}}};
  const VarianceShares found = variance_shares(axes, Rows{{0, 2}, {4, 6}});
  EXPECT_NEAR(found.seeds, 0.2, 1e-12);
  EXPECT_NEAR(found.shares[0], 1, 1e-12);
}

TEST(VarianceShares, ALineExplainsWhatIsStraight) {
  const std::vector<VarianceAxis> axes{{.levels = {}, .numbers = {1, 2, 3, 4}}};
  EXPECT_NEAR(variance_shares(axes, Rows{{10}, {12}, {14}, {16}}).shares[0], 1, 1e-12);
  EXPECT_NEAR(variance_shares(axes, Rows{{1}, {0}, {0}, {1}}).shares[0], 0, 1e-12);
}

TEST(VarianceShares, EqualRowsHaveNothingToShare) {
  const std::vector<VarianceAxis> axes{{.levels = {0, 1, 2}}};
  const VarianceShares found = variance_shares(axes, Rows{{0.7}, {0.7}, {0.7}});
  EXPECT_EQ(found.total, 0);
  EXPECT_EQ(found.shares, std::vector<double>{0.0});
}

TEST(VarianceShares, IsWhatStatsmodelsSays) {
  const json cases = json::parse(std::ifstream(testing::source_dir() / "tests/golden/ablation.json"));
  ASSERT_GE(cases.size(), 5u);
  for (const json& one : cases) {
    SCOPED_TRACE(one.at("name").get<std::string>());
    std::vector<VarianceAxis> axes;
    const auto lines = one.at("lines").get<std::vector<std::size_t>>();
    for (std::size_t axis = 0; axis < one.at("levels").size(); ++axis) {
      const json& levels = one.at("levels").at(axis);
      const bool line = std::find(lines.begin(), lines.end(), axis) != lines.end();
      VarianceAxis& added = axes.emplace_back();
      if (line) {
        added.numbers = levels.get<std::vector<double>>();
      } else {
        added.levels = levels.get<std::vector<std::size_t>>();
      }
    }
    const VarianceShares found = variance_shares(axes, one.at("by_seed").get<Rows>());
    // Sums of a few dozen numbers of order one, in another order.
    EXPECT_NEAR(found.total, one.at("total").get<double>(), 1e-9);
    for (std::size_t axis = 0; axis < axes.size(); ++axis)
      EXPECT_NEAR(found.shares[axis], one.at("shares").at(axis).get<double>(), 1e-9) << axis;
    EXPECT_NEAR(found.interaction, one.at("interaction").get<double>(), 1e-9);
    EXPECT_NEAR(found.residual, one.at("residual").get<double>(), 1e-9);
    EXPECT_NEAR(found.seeds, one.at("seeds").get<double>(), 1e-9);
  }
}

TEST(VarianceShares, RefusesWhatHasNoAnswer) {
  const std::vector<VarianceAxis> two{{.levels = {0, 1}}};
  EXPECT_THROW(variance_shares(two, Rows{{1}}), Error);
  EXPECT_THROW(variance_shares(two, Rows{{1}, {}}), Error);
  EXPECT_THROW(variance_shares(two, Rows{{1}, {std::nan("")}}), Error);
  EXPECT_THROW(variance_shares(two, Rows{{1}, {2}, {3}}), Error);
}

}  // namespace
}  // namespace nearfar
