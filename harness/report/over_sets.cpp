#include "report/over_sets.h"

#include "report/leaderboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

std::string p_text(double p) { return p < 0.0001 ? "p < 0.0001" : fmt::format("p = {:.4f}", p); }

std::string f_text(double f) {
  return std::isinf(f) ? "F infinite, as all sets rank alike" : fmt::format("F = {:.2f}", f);
}

/// How many rows the test cannot tell from the one with the best mean rank.
std::size_t with_the_best(const OverSets& over) {
  const auto best =
      static_cast<std::size_t>(std::ranges::min_element(over.friedman.mean_ranks) - over.friedman.mean_ranks.begin());
  const bool grouped = !over.cliques.empty() && over.cliques.front().front() == best;
  return grouped ? over.cliques.front().size() - 1 : 0;
}

}  // namespace

OverSets over_sets(const LeaderboardBoard& board) {
  OverSets result;
  std::vector<const BenchmarkSet*> sets;
  for (const BenchmarkSet& set : board.sets) {
    if (set.group == "control") continue;
    sets.push_back(&set);
    result.sets.push_back(fmt::format("{}/{}", set.group, set.name));
  }
  ValuesBySet values;
  for (const LeaderboardRow& row : board.rows) {
    if (!row.rank) break;  // the ranked ones come first, and have all sets
    std::vector<double>& of_row = values.emplace_back();
    for (const BenchmarkSet* set : sets) {
      const MeanStd* auroc = row.number(set->group, set->name, "auroc");
      of_row.push_back(auroc != nullptr ? auroc->mean : std::nan(""));
    }
  }
  result.methods = values.size();
  if (result.methods < 2) {
    result.too_few = result.methods == 0 ? "no ranked rows" : "one ranked row";
    return result;
  }
  if (sets.size() >= 2) result.friedman = friedman(values);
  if (sets.size() < kFewestSets) {
    result.too_few = fmt::format("too few data sets ({} of {})", sets.size(), kFewestSets);
    return result;
  }
  const bool differ = result.significant();
  const PairwiseP p = differ ? conover_holm(values)
                             : PairwiseP(values.size(), std::vector(values.size() * (values.size() - 1) / 2, 1.0));
  result.cliques = cliques(result.friedman.mean_ranks, p);
  return result;
}

std::string over_sets_sentence(const OverSets& over) {
  if (over.methods < 2) return fmt::format("Over data sets nothing is tested: {}.", over.too_few);
  if (!over.tested()) {
    return fmt::format("Over data sets nothing is tested: a verdict needs {} near and far sets at least, here are {}.",
                       kFewestSets, over.sets.size());
  }
  const std::string test = fmt::format("Friedman's test with Iman and Davenport's F on AUROC: {}, {}",
                                       f_text(over.friedman.f), p_text(over.friedman.f_p));
  if (!over.significant()) {
    return fmt::format("Over {} data sets the {} ranked rows cannot be told apart ({}).", over.sets.size(),
                       over.methods, test);
  }
  const std::size_t others = with_the_best(over);
  return fmt::format(
      "Over {} data sets the {} ranked rows differ ({}); {} from the best mean rank (Conover's test, "
      "Holm, 5 %).",
      over.sets.size(), over.methods, test,
      others == 0   ? "all others can be told"
      : others == 1 ? "one other cannot be told"
                    : fmt::format("{} others cannot be told", others));
}

}  // namespace nearfar
