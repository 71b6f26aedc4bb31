/// A search of kNN's k, on validation features that are small enough to compare every pair of images. The other sets
/// of a benchmark are not even there: a search that looked at them would fail.
#include "engine/tuning.h"

#include "../host/expect_error.h"
#include "base/files.h"
#include "base/npy.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace nearfar {
namespace {

/// Angles of images on the unit circle.
using Angles = std::vector<double>;

class Tuning : public ::testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 random(5);
    for (const auto& [set, count] : {std::pair{"train", 30}, {"val", 12}, {"ood_val", 10}}) {
      std::uniform_real_distribution<double> angle(set == std::string("ood_val") ? 1.0 : 0.0, 3.0);
      for (int i = 0; i < count; ++i) angles_[set].push_back(angle(random));
      put(set, angles_[set]);
    }
  }

  void put(const std::string& set, const Angles& angles) {
    std::vector<float> rows;
    for (const double angle : angles) {
      rows.push_back(static_cast<float>(std::cos(angle)));
      rows.push_back(static_cast<float>(std::sin(angle)));
    }
    const std::vector<std::int64_t> shape{static_cast<std::int64_t>(angles.size()), 2};
    write_npy<float>(folder_.path() / set / "features.npy", shape, rows);
    const std::vector<std::int64_t> labels(angles.size(), 0), length{shape[0]};
    write_npy<std::int64_t>(folder_.path() / set / "labels.npy", length, labels);
  }

  /// Squared distance to the k-th nearest train image, as a person would count it.
  double score(double angle, std::int64_t k) const {
    std::vector<double> distances;
    for (const double train : angles_.at("train")) distances.push_back(2 - 2 * std::cos(angle - train));
    std::sort(distances.begin(), distances.end());
    return distances.at(static_cast<std::size_t>(k - 1));
  }

  /// Of all pairs, ties as half.
  double auroc_by_pairs(std::int64_t k) const {
    double won = 0, pairs = 0;
    for (const double id : angles_.at("val")) {
      for (const double ood : angles_.at("ood_val")) {
        const double difference = score(ood, k) - score(id, k);
        won += difference > 0 ? 1 : difference == 0 ? 0.5 : 0;
        ++pairs;
      }
    }
    return won / pairs;
  }

  SearchResult search(const std::string& grid) const {
    const LoadedPlugin plugin = load_plugin(testing::binary_dir() / "lib/nearfar/plugins/knn.so");
    return tune(plugin, {}, grid_from_text(plugin.params(), grid, "test"), FeatureFolder(folder_.path()), at::kCPU);
  }

  std::map<std::string, Angles> angles_;
  TempDir folder_;
};

TEST_F(Tuning, MeasuresEveryPointInItsOrderAndChoosesTheFirstOfTheHighest) {
  const std::vector<std::int64_t> ks{17, 3, 30, 8, 1, 25};
  const SearchResult result = search("k=17,3,30,8,1,25");
  ASSERT_EQ(result.trace.size(), ks.size());
  std::size_t best = 0;
  for (std::size_t i = 0; i < ks.size(); ++i) {
    EXPECT_EQ(canonical_params(result.trace[i].params), "k=" + std::to_string(ks[i]));
    // 1/120 is one pair of images: float32 orders none of them differently here.
    EXPECT_NEAR(result.trace[i].auroc, auroc_by_pairs(ks[i]), 1e-9) << ks[i];
    if (auroc_by_pairs(ks[i]) > auroc_by_pairs(ks[best])) best = i;
  }
  EXPECT_EQ(result.chosen, result.trace[best].params);
}

TEST_F(Tuning, TakesAListOfPointsInItsOrder) {
  // nnguide has two parameters, and wants logits.
  for (const char* set : {"train", "val", "ood_val"}) {
    std::vector<float> logits;
    for (const double angle : angles_.at(set)) logits.push_back(static_cast<float>(std::cos(angle)));
    const std::vector<std::int64_t> shape{static_cast<std::int64_t>(logits.size()), 1};
    write_npy<float>(folder_.path() / set / "logits.npy", shape, logits);
  }
  const LoadedPlugin plugin = load_plugin(testing::binary_dir() / "lib/nearfar/plugins/nnguide.so");
  const auto run = [&](const std::string& grid) {
    return tune(plugin, {{"batch", std::int64_t{1}}}, grid_from_text(plugin.params(), grid, "test"),
                FeatureFolder(folder_.path()), at::kCPU);
  };
  const SearchResult listed = run("zip;k=2,5,2;alpha=0.5,1,1"), grid = run("k=2,5;alpha=0.5,1");
  ASSERT_EQ(listed.trace.size(), 3U);
  std::map<std::string, double> of_grid;
  for (const SearchPoint& point : grid.trace) of_grid[canonical_params(point.params)] = point.auroc;
  std::vector<std::string> order;
  for (const SearchPoint& point : listed.trace) {
    order.push_back(canonical_params(point.params));
    EXPECT_EQ(point.auroc, of_grid.at(order.back())) << order.back();
  }
  EXPECT_EQ(order, (std::vector<std::string>{"alpha=0.5;k=2", "alpha=1;k=5", "alpha=1;k=2"}));
}

TEST_F(Tuning, OfEqualPointsTheFirstWins) {
  // All of ood_val lies opposite to all of train: every k tells them apart.
  put("ood_val", Angles(10, 3.0 + 1.5));
  const SearchResult result = search("k=9,2,4");
  EXPECT_EQ(canonical_params(result.chosen), "k=9");
  EXPECT_EQ(result.ties, 2U);
}

TEST_F(Tuning, PointsThatAreRefusedAreLeftOut) {
  const SearchResult result = search("k=500,3");
  EXPECT_NE(result.trace.at(0).refused.find("30 train images"), std::string::npos);
  EXPECT_EQ(canonical_params(result.chosen), "k=3");
  EXPECT_ERROR(search("k=500,600"), ErrorKind::config, "no point of the grid k=500,600 can be chosen",
               "30 train images");
}

TEST_F(Tuning, DoesNotLookAtTestImages) {
  const SearchResult without = search("k=17,3,30,8");
  for (const char* set : {"test", "near/a", "far/b"}) put(set, angles_.at("ood_val"));
  write_file_atomic(folder_.path() / "test/features.npy", "not a number in it");
  const SearchResult with = search("k=17,3,30,8");
  ASSERT_EQ(with.trace.size(), without.trace.size());
  for (std::size_t i = 0; i < with.trace.size(); ++i) EXPECT_EQ(with.trace[i].auroc, without.trace[i].auroc);
  EXPECT_EQ(with.chosen, without.chosen);
}

}  // namespace
}  // namespace nearfar
