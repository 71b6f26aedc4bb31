#include "report/compare_numbers.h"

#include "base/error.h"
#include "base/text.h"
#include "metrics/auroc_parts.h"
#include "metrics/bootstrap.h"
#include "report/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace nearfar {
namespace {

constexpr double kSame = 1e-9;  // a metric from stored scores and the stored metric

/// Of one seed: scores of A and B.
using SeedScores = std::array<ScoreSides, 2>;

double stored(const SelectedSeed& seed, std::string_view group, std::string_view dataset, std::string_view metric) {
  const auto found = std::ranges::find_if(seed.values, [&](const ResultValue& value) {
    return value.group == group && value.dataset == dataset && value.metric == metric;
  });
  return found == seed.values.end() ? std::nan("") : found->value;
}

/// Names of the group's sets that all seeds of both rows have.
std::vector<std::string> sets_of(const std::vector<std::array<const SelectedSeed*, 2>>& seeds, std::string_view group) {
  std::vector<std::string> names;
  for (const ResultValue& value : seeds.front()[0]->values) {
    if (value.group != group || value.metric != "auroc") continue;
    const bool everywhere = std::ranges::all_of(seeds, [&](const auto& both) {
      return std::ranges::all_of(
          both, [&](const SelectedSeed* one) { return !std::isnan(stored(*one, group, value.dataset, "auroc")); });
    });
    if (everywhere) names.push_back(value.dataset);
  }
  return names;
}

class PairComparison {
 public:
  PairComparison(const RowPair& pair, const CompareRequest& request, const ScoresOf& scores,
                 std::span<const WantedNumber> wanted)
      : pair_(pair), request_(request), wanted_(wanted) {
    result_ = {.benchmark = pair.board->benchmark,
               .data_hash = pair.board->data_hash,
               .protocol = pair.board->protocol,
               .a = pair.a->name,
               .b = pair.b->name,
               .also_differ = pair.also_differ};
    for (const SelectedSeed& a : pair.a->seeds) {
      const auto b = std::ranges::find_if(
          pair.b->seeds, [&](const SelectedSeed& one) { return one.subject->seed == a.subject->seed; });
      if (b == pair.b->seeds.end()) continue;
      seeds_.push_back({&a, &*b});
      result_.seeds.push_back(a.subject->seed);
    }
    std::set<std::string> flags;
    for (const auto& both : seeds_) {
      for (const SelectedSeed* one : both) {
        for (const std::string& flag : split(one->subject->flags, ';')) flags.insert(flag);
      }
    }
    flags.erase("");
    result_.flags = join(std::vector<std::string>(flags.begin(), flags.end()), ";");
    if (!seeds_.empty()) load(scores);
  }

  bool has_seeds() const { return !seeds_.empty(); }

  ComparedPair compare() {
    std::vector<double> over_sets;
    for (const GroupInfo& group : kOodGroups) {
      if (!group.has_means) continue;
      const std::vector<std::string> sets = sets_of(seeds_, group.key);
      if (sets.empty()) continue;
      if (is_wanted(group.key, "auroc")) add_auroc(group.key, "mean", sets);
      add_drawn(group.key, sets);
      if (!wanted_.empty()) continue;
      for (const std::string& set : sets) {
        add_auroc(group.key, set, {set});
        over_sets.push_back(result_.numbers.back().difference.estimate);
      }
    }
    result_.sets = over_sets.size();
    result_.over_sets = wilcoxon(over_sets);
    return std::move(result_);
  }

 private:
  bool is_wanted(std::string_view group, std::string_view metric) const {
    return wanted_.empty() || std::ranges::find(wanted_, WantedNumber{group, metric}) != wanted_.end();
  }

  void load(const ScoresOf& scores_of) {
    for (const auto& both : seeds_) {
      SeedScores& seed = scores_.emplace_back();
      for (std::size_t side = 0; side < 2; ++side) {
        seed[side] = score_sides(scores_of(static_cast<int>(side), *both[side]->subject), result_.protocol);
      }
    }
  }

  const std::vector<double>& ood(const SeedScores& seed, std::size_t side, std::string_view group,
                                 const std::string& set) const {
    const std::string name = fmt::format("{}/{}", group, set);
    const auto found = seed[side].ood.find(name);
    if (found == seed[side].ood.end())
      throw Error(ErrorKind::store, fmt::format("{}: no scores of {} are stored",
                                                row_label(side == 0 ? pair_.a->name : pair_.b->name), name));
    return found->second;
  }

  /// Adds a number of both rows, by seed.
  ComparedNumber& add(std::string_view group, const std::string& dataset, std::string_view metric,
                      const std::array<std::vector<double>, 2>& by_seed, double image_variance) {
    std::vector<double> differences;
    ComparedNumber number{.group = std::string(group), .dataset = dataset, .metric = std::string(metric)};
    const auto n = static_cast<double>(by_seed[0].size());
    for (std::size_t i = 0; i < by_seed[0].size(); ++i) {
      differences.push_back(by_seed[1][i] - by_seed[0][i]);
      number.a += by_seed[0][i] / n;
      number.b += by_seed[1][i] / n;
    }
    number.difference = paired_difference(differences, image_variance, request_.alpha);
    number.adjusted_p = number.difference.p;
    return result_.numbers.emplace_back(std::move(number));
  }

  void check(const SelectedSeed& seed, std::string_view group, const std::vector<std::string>& sets,
             double auroc) const {
    double mean = 0;
    for (const std::string& set : sets) mean += stored(seed, group, set, "auroc") / static_cast<double>(sets.size());
    if (std::abs(mean - auroc) > kSame) {
      throw Error(ErrorKind::store,
                  fmt::format("cell {}: its scores give an AUROC of {} on {}/{}, the database says {}; `nearfar db "
                              "check --deep` finds files that have changed",
                              seed.subject->cell_key.substr(0, 12), auroc, group, join(sets, "+"), mean));
    }
  }

  void add_auroc(std::string_view group, const std::string& dataset, const std::vector<std::string>& sets) {
    AurocParts combined;
    std::array<std::vector<double>, 2> by_seed;
    for (std::size_t i = 0; i < seeds_.size(); ++i) {
      for (std::size_t side = 0; side < 2; ++side) {
        std::vector<std::span<const double>> of_sets;
        for (const std::string& set : sets) of_sets.emplace_back(ood(scores_[i], side, group, set));
        const AurocParts parts = auroc_parts(scores_[i][side].id, of_sets);
        check(*seeds_[i][side], group, sets, parts.auroc);
        by_seed[side].push_back(parts.auroc);
        combined.add(parts, (side == 0 ? -1.0 : 1.0) / static_cast<double>(seeds_.size()));
      }
    }
    add(group, dataset, "auroc", by_seed, combined.variance());
  }

  /// The other metrics' means over the group.
  void add_drawn(std::string_view group, const std::vector<std::string>& sets) {
    const bool any = std::ranges::any_of(
        kOodMetrics, [&](const MetricInfo& metric) { return metric.key != "auroc" && is_wanted(group, metric.key); });
    if (!any) return;
    std::vector<PairedScores> paired;
    for (const SeedScores& seed : scores_) {
      PairedScores& one = paired.emplace_back(PairedScores{.id_a = seed[0].id, .id_b = seed[1].id});
      for (const std::string& set : sets) {
        one.ood_a.emplace_back(ood(seed, 0, group, set));
        one.ood_b.emplace_back(ood(seed, 1, group, set));
      }
    }
    const MetricVariances variances = bootstrap_variances(paired, request_.resamples, request_.random);
    const std::array<std::pair<std::string_view, double>, 3> metrics = {
        {{"fpr95", variances.fpr95}, {"aupr_in", variances.aupr_in}, {"aupr_out", variances.aupr_out}}};
    for (const auto& [metric, variance] : metrics) {
      if (!is_wanted(group, metric)) continue;
      std::array<std::vector<double>, 2> by_seed;
      for (const auto& both : seeds_) {
        for (std::size_t side = 0; side < 2; ++side) {
          double mean = 0;
          for (const std::string& set : sets)
            mean += stored(*both[side], group, set, metric) / static_cast<double>(sets.size());
          by_seed[side].push_back(mean);
        }
      }
      add(group, "mean", metric, by_seed, variance);
    }
  }

  const RowPair& pair_;
  const CompareRequest& request_;
  std::span<const WantedNumber> wanted_;
  ComparedPair result_;
  std::vector<std::array<const SelectedSeed*, 2>> seeds_;
  std::vector<SeedScores> scores_;
};

}  // namespace

std::optional<ComparedPair> compare_pair(const RowPair& pair, const CompareRequest& request, const ScoresOf& scores,
                                         std::span<const WantedNumber> wanted) {
  PairComparison comparison(pair, request, scores, wanted);
  if (!comparison.has_seeds()) return std::nullopt;
  return comparison.compare();
}

}  // namespace nearfar
