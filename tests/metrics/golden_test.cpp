// OpenOOD's own numbers (openood/evaluators/metrics.py on scikit-learn 1.9.1) for 18 score sets: ties, a constant,
// inverted and single scores, denormal gaps, -0.0, NaN, infinity. conf is OpenOOD's, higher = ID, so our score is minus
// it; label -1 = OOD.
#include "support/golden.h"

#include "base/npy.h"
#include "metrics/accuracy.h"
#include "metrics/ranking.h"

#include <nearfar/error.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace nearfar {
namespace {

constexpr double kTolerance = 1e-12;  // scikit-learn sums a thousand rounded trapezoids; its own error is of this order

template <class T>
struct Sides {
  std::vector<T> id, ood;
};

template <class T>
Sides<T> sides(std::span<const T> conf, std::span<const std::int32_t> label) {
  Sides<T> result;
  for (std::size_t k = 0; k < conf.size(); ++k) (label[k] == -1 ? result.ood : result.id).push_back(-conf[k]);
  return result;
}

OodMetrics metrics_of(const NpyArray& conf, std::span<const std::int32_t> label) {
  if (conf.type() == NpyType::float64) {
    const auto scores = sides(conf.values<double>(1), label);
    return ood_metrics(scores.id, scores.ood);
  }
  const auto scores = sides(conf.values<float>(1), label);
  return ood_metrics(scores.id, scores.ood);
}

double id_accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> label) {
  std::vector<std::int64_t> id_predicted, id_label;
  for (std::size_t k = 0; k < label.size(); ++k) {
    if (label[k] == -1) continue;
    id_predicted.push_back(predicted[k]);
    id_label.push_back(label[k]);
  }
  return accuracy(id_predicted, id_label);
}

TEST(MetricsGolden, EqualOpenOodInAllCases) {
  const auto folder = testing::golden("metrics");
  if (!folder) GTEST_SKIP() << "no golden data: set NEARFAR_GOLDEN to the folder that has metrics/metrics.json";
  const auto cases = nlohmann::json::parse(std::ifstream(*folder / "metrics.json")).at("cases");
  EXPECT_EQ(cases.size(), 18u);
  for (const auto& expected : cases) {
    const auto name = expected.at("name").get<std::string>();
    SCOPED_TRACE(name);
    const NpyArray conf(*folder / (name + ".conf.npy")), label(*folder / (name + ".label.npy")),
        pred(*folder / (name + ".pred.npy"));
    const auto labels = label.values<std::int32_t>(1);
    if (expected.contains("error")) {  // scikit-learn raises ValueError
      EXPECT_THROW(metrics_of(conf, labels), Error);
      continue;
    }
    const OodMetrics m = metrics_of(conf, labels);
    EXPECT_EQ(m.n_id, expected.at("n_id").get<std::size_t>());
    EXPECT_EQ(m.n_ood, expected.at("n_ood").get<std::size_t>());
    EXPECT_EQ(m.fpr95, expected.at("fpr95").get<double>());
    EXPECT_NEAR(m.auroc, expected.at("auroc").get<double>(), kTolerance);
    EXPECT_NEAR(m.aupr_in, expected.at("aupr_in").get<double>(), kTolerance);
    EXPECT_NEAR(m.aupr_out, expected.at("aupr_out").get<double>(), kTolerance);
    EXPECT_NEAR(id_accuracy(pred.values<std::int32_t>(1), labels), expected.at("acc").get<double>(), kTolerance);
  }
}

}  // namespace
}  // namespace nearfar
