/// From single measured values to ranked rows. The rules are in leaderboard.h.
#include "base/text.h"
#include "report/leaderboard.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

namespace nearfar {
namespace {

constexpr std::array<std::string_view, 4> kGroups = {"id", "near", "far", "control"};
constexpr std::array<std::string_view, 5> kMetrics = {"auroc", "fpr95", "aupr_in", "aupr_out", "accuracy"};

/// Place of a name in a list; unknown names come last.
template <std::size_t N>
std::size_t place(const std::array<std::string_view, N>& list, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::find(list, name) - list.begin());
}

using BoardKey = std::tuple<std::string, std::string, std::string>;  // benchmark, protocol, data hash
using RowKey = std::tuple<std::string, std::string, std::string, std::string, std::string,
                          std::string>;                                             // as in the CSV's identity
using VersionKey = std::tuple<std::string, std::string, std::string, std::string>;  // what else may differ
using NumberKey = std::tuple<std::string, std::string, std::string>;                // group, dataset, metric

struct SeedResult {
  std::int64_t run_id = 0;
  std::map<NumberKey, double> values;
  LeaderboardValue sample;  ///< for what all values of the run share
};
using SeedResults = std::map<std::int64_t, SeedResult>;
using Versions = std::map<VersionKey, SeedResults>;
using Board = std::map<RowKey, Versions>;

/// One cell measured again under another key (other dtype, other threads …) with the same versions: its newest run
/// counts.
void add_value(SeedResults& seeds, const LeaderboardValue& value) {
  SeedResult& seed = seeds[value.seed];
  if (value.run_id < seed.run_id) return;
  if (value.run_id > seed.run_id) seed = {value.run_id, {}, value};
  seed.values[{value.group, value.dataset, value.metric}] = value.value;
}

std::int64_t newest_run(const SeedResults& seeds) {
  std::int64_t newest = 0;
  for (const auto& [seed, result] : seeds) newest = std::max(newest, result.run_id);
  return newest;
}

const SeedResults& newest_version(const Versions& versions) {
  return std::ranges::max_element(versions, {}, [](const auto& version) { return newest_run(version.second); })->second;
}

/// The OOD sets some row was measured on, in the benchmark's order; sets it does not name come after, by name.
std::vector<BenchmarkSet> measured_sets(const Board& board, const std::vector<BenchmarkSet>& defined) {
  std::set<std::pair<std::string, std::string>> measured;  // group, dataset
  for (const auto& [key, versions] : board) {
    for (const auto& [seed, result] : newest_version(versions)) {
      for (const auto& [number, value] : result.values) {
        if (std::get<0>(number) != "id") measured.emplace(std::get<0>(number), std::get<1>(number));
      }
    }
  }
  std::vector<BenchmarkSet> sets;
  for (const BenchmarkSet& set : defined) {
    if (measured.erase({set.group, set.name}) > 0) sets.push_back(set);
  }
  for (const auto& [group, name] : measured)
    sets.push_back({.name = name, .group = group, .role = "", .image_count = 0});
  std::ranges::stable_sort(sets, {}, [](const BenchmarkSet& set) { return place(kGroups, set.group); });
  return sets;
}

/// Unweighted mean over the group's sets for each seed; empty if a seed lacks a set.
std::vector<double> group_means(const SeedResults& seeds, const std::vector<BenchmarkSet>& sets,
                                const std::string& group, const std::string& metric) {
  std::vector<double> means;
  for (const auto& [seed, result] : seeds) {
    double sum = 0;
    std::int64_t count = 0;
    for (const BenchmarkSet& set : sets) {
      if (set.group != group) continue;
      const auto found = result.values.find({group, set.name, metric});
      if (found == result.values.end()) return {};
      sum += found->second;
      ++count;
    }
    if (count == 0) return {};
    means.push_back(sum / static_cast<double>(count));
  }
  return means;
}

std::vector<LeaderboardNumber> make_numbers(const SeedResults& seeds, const std::vector<BenchmarkSet>& sets) {
  std::map<NumberKey, std::vector<double>> by_seed;
  std::set<std::string> metrics;
  for (const auto& [seed, result] : seeds) {
    for (const auto& [key, value] : result.values) {
      by_seed[key].push_back(value);
      if (std::get<0>(key) != "id") metrics.insert(std::get<2>(key));
    }
  }
  for (const std::string group : {"near", "far"}) {
    for (const std::string& metric : metrics) {
      std::vector<double> means = group_means(seeds, sets, group, metric);
      if (!means.empty()) by_seed[{group, "mean", metric}] = std::move(means);
    }
  }
  std::vector<LeaderboardNumber> numbers;
  for (const auto& [key, values] : by_seed)
    numbers.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), aggregate(values)});
  const auto set_place = [&](const LeaderboardNumber& n) -> std::ptrdiff_t {
    if (n.dataset == "mean") return -1;
    return std::ranges::find_if(
               sets, [&](const BenchmarkSet& set) { return set.group == n.group && set.name == n.dataset; }) -
           sets.begin();
  };
  std::ranges::stable_sort(numbers, {}, [&](const LeaderboardNumber& n) {
    return std::tuple(place(kGroups, n.group), n.group, set_place(n), n.dataset, place(kMetrics, n.metric), n.metric);
  });
  return numbers;
}

/// Of all runs; the control's row is marked as such.
std::string joined_flags(const SeedResults& seeds, std::string_view postprocessor) {
  std::set<std::string> flags;
  if (postprocessor == kControlPostprocessor) flags.insert("control");
  for (const auto& [seed, result] : seeds) {
    for (std::string& flag : split(result.sample.flags, ';')) {
      if (!flag.empty()) flags.insert(std::move(flag));
    }
  }
  return join(std::vector<std::string>(flags.begin(), flags.end()), ";");
}

LeaderboardRow make_row(const RowKey& key, const SeedResults& seeds, const std::vector<BenchmarkSet>& sets) {
  LeaderboardRow row;
  std::tie(row.training, row.training_params, row.architecture, row.recipe, row.postprocessor,
           row.postprocessor_params) = key;
  std::set<std::string> classifiers;
  for (const auto& [seed, result] : seeds) {
    row.seeds.push_back(seed);
    classifiers.insert(result.sample.classifier);
  }
  row.classifier = join(std::vector<std::string>(classifiers.begin(), classifiers.end()), "/");
  row.flags = joined_flags(seeds, row.postprocessor);
  row.numbers = make_numbers(seeds, sets);
  return row;
}

bool lacks_a_set(const LeaderboardRow& row, const std::vector<BenchmarkSet>& sets) {
  return !row.score() || std::ranges::any_of(sets, [&](const BenchmarkSet& set) {
    return set.group != "control" && !row.number(set.group, "mean", "auroc");
  });
}

/// The seeds that most rows have; of equally frequent ones the larger set, then the smaller numbers.
std::vector<std::int64_t> common_seeds(const std::vector<LeaderboardRow>& rows) {
  std::map<std::vector<std::int64_t>, int> votes;
  for (const LeaderboardRow& row : rows) {
    if (row.unranked_reason.empty()) ++votes[row.seeds];
  }
  std::vector<std::int64_t> best;
  int best_votes = 0;
  for (const auto& [seeds, count] : votes) {
    if (std::pair(count, seeds.size()) <= std::pair(best_votes, best.size())) continue;
    best = seeds;
    best_votes = count;
  }
  return best;
}

/// As printed with four decimals of a percent, so that a tie on the page is a tie in the ranking.
std::int64_t printed_score(const LeaderboardRow& row) { return std::llround(row.score().value_or(0) * 1e6); }

void rank_rows(LeaderboardBoard& board) {
  for (LeaderboardRow& row : board.rows) {
    const std::vector<std::string> flags = split(row.flags, ';');
    const auto flagged = [&](std::string_view flag) { return std::ranges::find(flags, flag) != flags.end(); };
    if (flagged("control")) {
      row.unranked_reason = "control";
    } else if (flagged("partial")) {
      row.unranked_reason = "partial";
    } else if (lacks_a_set(row, board.sets)) {
      row.unranked_reason = "incomplete";
    }
  }
  board.ranked_seeds = common_seeds(board.rows);
  for (LeaderboardRow& row : board.rows) {
    if (row.unranked_reason.empty() && row.seeds != board.ranked_seeds) row.unranked_reason = "other seeds";
  }
  std::ranges::stable_sort(board.rows, {}, [](const LeaderboardRow& row) {  // rows come sorted by name
    return std::pair(!row.unranked_reason.empty(), -printed_score(row));
  });
  int place = 0, rank = 0;
  std::int64_t last_score = -1;
  for (LeaderboardRow& row : board.rows) {
    if (!row.unranked_reason.empty()) break;
    ++place;
    if (printed_score(row) != last_score) rank = place;
    last_score = printed_score(row);
    row.rank = rank;
  }
}

/// The provenance of the results shown.
struct Provenance {
  std::set<std::tuple<std::string, std::string, std::string, std::string>> plugins;
  std::set<std::string> engine_versions, numerics;

  void add(const LeaderboardValue& value) {
    if (!value.training_version.empty())
      plugins.emplace("loss", value.training, value.training_version, value.training_source_hash);
    if (!value.postprocessor_version.empty()) {
      plugins.emplace("postprocessor", value.postprocessor, value.postprocessor_version,
                      value.postprocessor_source_hash);
    }
    if (!value.engine_version.empty()) engine_versions.insert(value.engine_version);
    if (!value.numerics.empty()) numerics.insert(value.numerics);
  }
};

void add_gaps(Leaderboard& leaderboard, const Store& store, const LeaderboardFilter& filter) {
  for (const CellStatus& cell : store.cells(filter.experiment)) {
    if (filter.benchmark && cell.benchmark != *filter.benchmark) continue;
    switch (cell.state) {
      case CellState::ok:
        break;
      case CellState::planned:
      case CellState::running:
        ++leaderboard.waiting_count;
        break;
      case CellState::not_applicable:
        leaderboard.not_applicable.push_back({cell.label, std::string(state_name(cell.state)), cell.message});
        break;
      default:
        leaderboard.failed.push_back({cell.label, std::string(state_name(cell.state)), cell.message});
    }
  }
}

}  // namespace

Leaderboard load_leaderboard(const Store& store, const LeaderboardFilter& filter) {
  std::map<BoardKey, Board> boards;
  for (const LeaderboardValue& v : store.leaderboard(filter.experiment)) {
    if ((filter.benchmark && v.benchmark != *filter.benchmark) || (filter.protocol && v.protocol != *filter.protocol))
      continue;
    Versions& versions = boards[{v.benchmark, v.protocol, v.data_hash}][{
        v.training, v.training_params, v.architecture, v.recipe, v.postprocessor, v.postprocessor_params}];
    add_value(versions[{v.head, v.numerics, v.training_source_hash, v.postprocessor_source_hash}], v);
  }

  Leaderboard leaderboard;
  Provenance provenance;
  const std::vector<BenchmarkRecord> benchmarks = store.benchmarks();
  for (const auto& [key, rows] : boards) {
    LeaderboardBoard& board = leaderboard.boards.emplace_back();
    std::tie(board.benchmark, board.protocol, board.data_hash) = key;
    const auto defined = std::ranges::find_if(benchmarks, [&](const BenchmarkRecord& b) {
      return b.name == board.benchmark && b.data_hash == board.data_hash;
    });
    board.sets = measured_sets(rows, defined == benchmarks.end() ? std::vector<BenchmarkSet>{} : defined->sets);
    for (const auto& [row_key, versions] : rows) {
      const SeedResults& seeds = newest_version(versions);
      board.rows.push_back(make_row(row_key, seeds, board.sets));
      for (const auto& [seed, result] : seeds) provenance.add(result.sample);
      leaderboard.superseded_count += static_cast<std::int64_t>(versions.size()) - 1;
    }
    rank_rows(board);
  }
  for (const auto& [kind, name, version, source_hash] : provenance.plugins)
    leaderboard.plugins.push_back({kind, name, version, source_hash});
  leaderboard.engine_versions.assign(provenance.engine_versions.begin(), provenance.engine_versions.end());
  leaderboard.numerics.assign(provenance.numerics.begin(), provenance.numerics.end());
  add_gaps(leaderboard, store, filter);
  return leaderboard;
}

}  // namespace nearfar
