#include "report/leaderboard.h"

#include "base/text.h"
#include "metrics/difference.h"
#include "report/joined.h"
#include "report/order.h"
#include "report/ranks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace nearfar {
namespace {

using NumberKey = std::tuple<std::string_view, std::string_view, std::string_view>;  // group, dataset, metric

/// The OOD sets some row was measured on, in the benchmark's order; sets it does not name come after, by name.
std::vector<BenchmarkSet> measured_sets(const SelectedBoard& board, const std::vector<BenchmarkRecord>& benchmarks) {
  std::set<std::pair<std::string_view, std::string_view>> measured;  // group, dataset
  for (const SelectedRow& row : board.rows) {
    for (const SelectedSeed& seed : row.seeds) {
      std::pair<std::string_view, std::string_view> last;  // the metrics of a set come one after the other
      for (const ResultValue& value : seed.values) {
        if (value.group == "id" || last == std::pair<std::string_view, std::string_view>(value.group, value.dataset))
          continue;
        last = {value.group, value.dataset};
        measured.insert(last);
      }
    }
  }
  std::vector<BenchmarkSet> sets;
  const auto defined = std::ranges::find_if(benchmarks, [&](const BenchmarkRecord& b) {
    return b.name == board.benchmark && b.data_hash == board.data_hash;
  });
  if (defined != benchmarks.end()) {
    for (const BenchmarkSet& set : defined->sets) {
      if (measured.erase({set.group, set.name}) > 0) sets.push_back(set);
    }
  }
  for (const auto& [group, name] : measured)
    sets.push_back({.name = std::string(name), .group = std::string(group), .role = "", .image_count = 0});
  std::ranges::stable_sort(sets, {}, [](const BenchmarkSet& set) { return place_of(set.group, kGroups); });
  return sets;
}

/// One number of a row, by seed.
struct Column {
  NumberKey key;
  std::vector<double> values;
};

/// The numbers of a row, in the order in which they come first. Seeds have theirs in one order, so that the next number
/// is mostly that of the next column: a row may have thousands of seeds.
std::vector<Column> make_columns(const SelectedRow& row) {
  std::vector<Column> columns;
  for (const SelectedSeed& seed : row.seeds) {
    std::size_t next = 0;
    for (const ResultValue& value : seed.values) {
      const NumberKey key(value.group, value.dataset, value.metric);
      if (next >= columns.size() || columns[next].key != key) {
        next = static_cast<std::size_t>(std::ranges::find(columns, key, &Column::key) - columns.begin());
        if (next == columns.size()) columns.push_back({key, {}});
      }
      columns[next++].values.push_back(value.value);
    }
  }
  return columns;
}

/// Unweighted mean over the group's sets for each seed; empty if a seed lacks a set.
std::vector<double> group_means(const std::vector<Column>& columns, std::size_t seed_count,
                                const std::vector<BenchmarkSet>& sets, std::string_view group,
                                std::string_view metric) {
  std::vector<const Column*> of_group;
  for (const BenchmarkSet& set : sets) {
    if (set.group != group) continue;
    const auto found = std::ranges::find(columns, NumberKey(group, set.name, metric), &Column::key);
    if (found == columns.end() || found->values.size() != seed_count) return {};
    of_group.push_back(&*found);
  }
  if (of_group.empty()) return {};
  std::vector<double> means;
  for (std::size_t seed = 0; seed < seed_count; ++seed) {
    std::vector<double> values;
    for (const Column* column : of_group) values.push_back(column->values[seed]);
    means.push_back(mean_std(values).mean);
  }
  return means;
}

std::vector<LeaderboardNumber> make_numbers(const SelectedRow& row, const std::vector<BenchmarkSet>& sets) {
  const std::vector<Column> columns = make_columns(row);
  std::map<NumberKey, std::vector<double>> by_seed;
  std::set<std::string_view> metrics;
  for (const Column& column : columns) {
    by_seed[column.key] = column.values;
    if (std::get<0>(column.key) != "id") metrics.insert(std::get<2>(column.key));
  }
  for (const GroupInfo& group : kGroups) {
    if (!group.has_means) continue;
    for (const std::string_view metric : metrics) {
      std::vector<double> means = group_means(columns, row.seeds.size(), sets, group.key, metric);
      if (!means.empty()) by_seed[{group.key, "mean", metric}] = std::move(means);
    }
  }
  std::vector<LeaderboardNumber> numbers;
  for (const auto& [key, values] : by_seed) {
    const auto& [group, dataset, metric] = key;
    numbers.push_back(
        {std::string(group), std::string(dataset), std::string(metric), mean_std(values), values, Mark::none});
  }
  const auto set_place = [&](const LeaderboardNumber& n) -> std::ptrdiff_t {
    if (n.dataset == "mean") return -1;
    return std::ranges::find_if(
               sets, [&](const BenchmarkSet& set) { return set.group == n.group && set.name == n.dataset; }) -
           sets.begin();
  };
  std::ranges::stable_sort(numbers, {}, [&](const LeaderboardNumber& n) {
    return std::tuple(place_of(n.group, kGroups), std::string_view(n.group), set_place(n), std::string_view(n.dataset),
                      place_of(n.metric, kMetrics), std::string_view(n.metric));
  });
  return numbers;
}

/// Of all runs; the control's row is marked as such.
std::string joined_flags(const SelectedRow& row) {
  std::set<std::string> flags;
  if (row.name.postprocessor == kControlPostprocessor) flags.insert("control");
  for (const SelectedSeed& seed : row.seeds) {
    for (std::string& flag : split(seed.subject->flags, ';')) {
      if (!flag.empty()) flags.insert(std::move(flag));
    }
  }
  return joined(flags, ";");
}

std::optional<double> mean_of(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(mean_std(values).mean);
}

LeaderboardCost cost_of(const SelectedRow& row) {
  std::vector<double> train, score;
  std::set<std::string> devices;
  for (const SelectedSeed& seed : row.seeds) {
    const ResultSubject& subject = *seed.subject;
    if (subject.train_seconds) train.push_back(*subject.train_seconds);
    if (subject.score_seconds) score.push_back(*subject.score_seconds + subject.fit_seconds.value_or(0));
    if (!subject.device.empty()) devices.insert(subject.device);
  }
  return {mean_of(train), mean_of(score), joined(devices, "/")};
}

LeaderboardRow make_row(const SelectedRow& selected, const std::vector<BenchmarkSet>& sets) {
  LeaderboardRow row;
  static_cast<RowName&>(row) = selected.name;
  std::set<std::string> classifiers;
  for (const SelectedSeed& seed : selected.seeds) {
    row.seeds.push_back(seed.subject->seed);
    classifiers.insert(seed.subject->classifier);
  }
  row.classifier = joined(classifiers, "/");
  row.flags = joined_flags(selected);
  row.tuned = std::ranges::any_of(selected.seeds, [](const SelectedSeed& seed) { return seed.subject->tuned; });
  row.cost = cost_of(selected);
  row.numbers = make_numbers(selected, sets);
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

LeaderboardBoard make_board(const SelectedBoard& selected, const std::vector<BenchmarkRecord>& benchmarks) {
  LeaderboardBoard board{.benchmark = selected.benchmark,
                         .data_hash = selected.data_hash,
                         .protocol = selected.protocol,
                         .sets = measured_sets(selected, benchmarks),
                         .ranked_seeds = {},
                         .intervals_from = {},
                         .differing_factors = selected.differing_factors,
                         .rows = {}};
  for (const SelectedRow& row : selected.rows) board.rows.push_back(make_row(row, board.sets));
  rank_rows(board);
  board.over_sets = over_sets(board);
  return board;
}

/// With what the results shown were made.
class Provenance {
 public:
  void add(const ResultSubject& subject) {
    add_plugin("loss", subject.training, subject.training_version, subject.training_source_hash);
    add_plugin("postprocessor", subject.postprocessor, subject.postprocessor_version,
               subject.postprocessor_source_hash);
    if (!subject.engine_version.empty()) engine_versions_.insert(subject.engine_version);
    if (!subject.numerics.empty()) numerics_.insert(subject.numerics);
  }

  void fill(Leaderboard& leaderboard) const {
    for (const auto& [kind, name, version, source_hash] : plugins_) {
      leaderboard.plugins.push_back(
          {std::string(kind), std::string(name), std::string(version), std::string(source_hash)});
    }
    leaderboard.engine_versions.assign(engine_versions_.begin(), engine_versions_.end());
    leaderboard.numerics.assign(numerics_.begin(), numerics_.end());
  }

 private:
  void add_plugin(std::string_view kind, std::string_view name, std::string_view version, std::string_view source) {
    if (!version.empty()) plugins_.emplace(kind, name, version, source);
  }

  std::set<std::tuple<std::string_view, std::string_view, std::string_view, std::string_view>> plugins_;
  std::set<std::string_view> engine_versions_, numerics_;
};

/// Where one benchmark was scored on several states of its data (images were replaced, or a run was limited), every row
/// says on which: not all forms have room for a board's title.
void tell_manifests_apart(std::vector<LeaderboardBoard>& boards) {
  const auto is_other = [](const LeaderboardBoard& a, const LeaderboardBoard& b) {
    return a.benchmark == b.benchmark && a.protocol == b.protocol && a.data_hash != b.data_hash;
  };
  for (LeaderboardBoard& board : boards) {
    if (std::ranges::none_of(boards, [&](const LeaderboardBoard& other) { return is_other(board, other); })) continue;
    for (LeaderboardRow& row : board.rows) {
      std::vector<std::string> flags = split(row.flags, ';');
      std::erase(flags, "");
      flags.push_back("data=" + board.data_hash.substr(0, 12));
      std::ranges::sort(flags);
      row.flags = join(flags, ";");
    }
  }
}

std::vector<Gap> gaps_of(const std::vector<Gap>& gaps, const ReportFilter& filter) {
  std::vector<Gap> result;
  std::ranges::copy_if(gaps, std::back_inserter(result),
                       [&](const Gap& gap) { return !filter.benchmark || gap.benchmark == *filter.benchmark; });
  return result;
}

}  // namespace

const MeanStd* LeaderboardRow::number(std::string_view group, std::string_view dataset, std::string_view metric) const {
  const auto found = std::ranges::find_if(numbers, [&](const LeaderboardNumber& n) {
    return n.group == group && n.dataset == dataset && n.metric == metric;
  });
  return found == numbers.end() ? nullptr : &found->value;
}

const MeanStd* LeaderboardRow::accuracy() const {
  const auto found = std::ranges::find_if(
      numbers, [](const LeaderboardNumber& n) { return n.group == "id" && n.metric == "accuracy"; });
  return found == numbers.end() ? nullptr : &found->value;
}

std::optional<double> LeaderboardRow::score() const {
  const MeanStd* near = number("near", "mean", "auroc");
  const MeanStd* far = number("far", "mean", "auroc");
  if (near && far) return (near->mean + far->mean) / 2;
  if (near || far) return (near ? near : far)->mean;
  return std::nullopt;
}

std::optional<double> LeaderboardNumber::half_width() const {
  if (by_seed.size() < 2) return std::nullopt;
  const Difference mean = paired_difference(by_seed, 0);  // an interval of a mean, whatever it is of
  return (mean.high - mean.low) / 2;
}

Leaderboard make_leaderboard(const Results& results, const RankRequest* ranks) {
  Leaderboard leaderboard{.boards = {},
                          .not_applicable = gaps_of(results.not_applicable, results.filter),
                          .failed = gaps_of(results.failed, results.filter),
                          .waiting_count = results.waiting_count,
                          .of_one_benchmark = results.filter.benchmark.has_value(),
                          .superseded_count = 0,
                          .plugins = {},
                          .engine_versions = {},
                          .numerics = {}};
  Provenance provenance;
  for (const SelectedBoard& board : select_boards(results.frame, results.filter)) {
    leaderboard.boards.push_back(make_board(board, results.benchmarks));
    if (ranks != nullptr) add_rank_intervals(leaderboard.boards.back(), board, *ranks);
    leaderboard.superseded_count += board.superseded_count;
    for (const SelectedRow& row : board.rows) {
      for (const SelectedSeed& seed : row.seeds) provenance.add(*seed.subject);
    }
  }
  tell_manifests_apart(leaderboard.boards);
  provenance.fill(leaderboard);
  return leaderboard;
}

void add_published(Leaderboard& leaderboard, const Published& published) {
  std::set<std::string_view> shown;
  for (LeaderboardBoard& board : leaderboard.boards) {
    board.published = published_rows(published, board.benchmark, board.protocol);
    for (const PublishedRow& row : board.published) shown.insert(row.source);
  }
  std::ranges::copy_if(published.sources, std::back_inserter(leaderboard.published_sources),
                       [&](const PublishedSource& source) { return shown.contains(source.name); });
}

}  // namespace nearfar
