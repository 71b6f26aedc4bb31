#pragma once
/// Results in memory with scores of which their metrics are.
#include "metrics/ranking.h"
#include "report/compare.h"
#include "store/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace nearfar::testing {

/// Results on a benchmark of two near sets and a far one, with scores of which the metrics are.
class ScoredResults {
 public:
  /// `shift`: how far OOD scores lie above ID scores.
  void add(const std::string& loss, const std::string& postprocessor, std::int64_t seed, double shift,
           std::vector<Factor> factors = {}) {
    ResultSubject subject;
    subject.cell_key = fmt::format("{:012}", frame_.subjects.size());
    subject.run_uid = subject.cell_key;
    subject.benchmark = "tiny";
    subject.data_hash = "d47a";
    subject.training = loss;
    subject.architecture = "net";
    subject.head = loss == "ce" ? "linear" : "none";
    subject.postprocessor = postprocessor;
    subject.seed = seed;
    factors.push_back({"loss", loss, false});
    factors.push_back({"postprocessor", postprocessor, false});
    std::ranges::sort(factors, {}, &Factor::name);
    subject.factors = std::move(factors);
    std::mt19937_64 random(static_cast<std::uint64_t>(seed) + 1);  // the same images, so much of the noise is shared
    Scores sets;
    sets["test"] = scores(random, 60, 0);
    for (const char* set : {"near/cousins", "near/uncles", "far/digits"}) sets[set] = scores(random, 50, shift);
    for (const auto& [set, ood] : sets) {
      if (set == "test") continue;
      const std::size_t slash = set.find('/');
      const OodMetrics metrics = ood_metrics(sets.at("test"), ood);
      const std::pair<const char*, double> named[] = {{"aupr_in", metrics.aupr_in},
                                                      {"aupr_out", metrics.aupr_out},
                                                      {"auroc", metrics.auroc},
                                                      {"fpr95", metrics.fpr95}};
      for (const auto& [name, value] : named)
        frame_.values.push_back(
            {frame_.subjects.size(), "ood", set.substr(0, slash), set.substr(slash + 1), name, value});
    }
    sets_[subject.cell_key] = std::move(sets);
    frame_.subjects.push_back(std::move(subject));
  }
  const ResultsFrame& frame() const { return frame_; }
  Scores scores_of(const ResultSubject& subject) const { return sets_.at(subject.cell_key); }
  void change_a_score() { sets_.begin()->second.at("far/digits")[0] += 100; }
  void change_a_metric() { frame_.values[0].value += 0.001; }
  /// The last one added.
  ResultSubject& last() { return frame_.subjects.back(); }

 private:
  static std::vector<double> scores(std::mt19937_64& random, std::size_t n, double shift) {
    std::normal_distribution<double> normal;
    std::vector<double> values(n);
    for (double& value : values) value = normal(random) + shift;
    return values;
  }
  ResultsFrame frame_;
  std::map<std::string, Scores> sets_;
};

}  // namespace nearfar::testing
