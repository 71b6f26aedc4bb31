#pragma once
/// The leaderboard: rows are methods, seeds are aggregated, ranks are given only between rows that may be compared.
/// Pure functions of Results, safe from any thread; leaderboard_forms.h shows it.
///
/// Rules. Which results make a row, and a row a board, is told in select.h: a row is its factors, never the name of its
/// recipe, so that a changed `train.epochs` is a row of its own. A row's numbers are mean ± population standard
/// deviation over its seeds. Near and far means are unweighted over the sets of one seed, then aggregated; control sets
/// never enter them. Rows are ranked by the average of near and far mean AUROC (of the one there is, where a benchmark
/// has one group only), as printed: equal to four decimals of a percent is a tie, and ties share a rank. Not ranked but
/// listed below: the control (scores that know nothing), partial rows, rows with other seeds than most, rows that lack
/// a set.
#include "metrics/aggregate.h"
#include "report/over_sets.h"
#include "report/published.h"
#include "report/results.h"
#include "report/select.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// The postprocessor whose scores are random numbers: its rows show what no method is, about 50 percent.
inline constexpr std::string_view kControlPostprocessor = "random";

/// Where a number is shown apart: only where the difference is real (ranks.h).
enum class Mark { none, best, second };

struct LeaderboardNumber {
  std::string group, dataset, metric;  ///< dataset "mean" for the means of near and far
  MeanStd value;                       ///< over seeds; fractions
  std::vector<double> by_seed = {};    ///< in the order of the row's seeds, of those that have it
  Mark mark = Mark::none;

  /// Half the width of the 95 % interval of the mean over other seeds: Student's t with the sample standard deviation
  /// (divides by n - 1). nullopt for one seed.
  std::optional<double> half_width() const;
};

/// Wall seconds, means over the seeds that have them.
struct LeaderboardCost {
  std::optional<double> train_seconds = {};  ///< of the model
  std::optional<double> score_seconds = {};  ///< of fit and score on all sets
  std::string device = {};                   ///< that scored: "cpu", of several "cpu/cuda"
};

struct LeaderboardRow : RowName {
  std::string classifier;                  ///< "linear", "ncm" or "": what ID accuracy was measured with
  std::string flags;                       ///< "control;count-mismatch;partial", sorted
  std::vector<std::int64_t> seeds;         ///< ascending
  std::vector<LeaderboardNumber> numbers;  ///< by group and metric as in order.h; mean first, then sets as in the
                                           ///< benchmark
  std::vector<LeaderboardNumber> selective = {};  ///< AURC and AUGRC where asked for: selective_numbers.h
  std::optional<int> rank;
  /// The ranks it would have with other seeds and other images of the same kind, 95 % (ranks.h); nullopt: not ranked,
  /// or nothing is known of that.
  std::optional<int> rank_low = {}, rank_high = {};
  std::string unranked_reason;  ///< "control", "partial", "incomplete", "other seeds" where there is no rank
  bool tuned = false;           ///< parameters of the postprocessor were chosen on the validation sets
  LeaderboardCost cost = {};

  /// nullptr if the row has no such number.
  const MeanStd* number(std::string_view group, std::string_view dataset, std::string_view metric) const;
  /// The accuracy row: (id, test or test+csid, accuracy).
  const MeanStd* accuracy() const;
  /// What ranks: the average of near and far mean AUROC. nullopt if there is neither.
  std::optional<double> score() const;
};

struct LeaderboardBoard {
  std::string benchmark, data_hash, protocol;
  std::vector<BenchmarkSet> sets;  ///< OOD sets that were measured: near, far, control, in the benchmark's order
  std::vector<std::int64_t> ranked_seeds;  ///< the seeds that ranked rows share
  /// What rank intervals and marks were drawn from: "images and seeds", "seeds", "images" or "" (nothing).
  std::string intervals_from = {};
  std::vector<std::string> differing_factors;  ///< told in the parameters of rows whose names would else be equal
  std::vector<LeaderboardRow> rows;            ///< ranked ones by rank, then the others; ties by name
  OverSets over_sets = {};                     ///< of the ranked rows
  /// Others' numbers of this benchmark and protocol (add_published()): shown apart, in no rank.
  std::vector<PublishedRow> published = {};
};

struct LeaderboardPlugin {
  std::string kind, name, version, source_hash;
};

struct Leaderboard {
  std::vector<LeaderboardBoard> boards;      ///< by benchmark, protocol, data manifest
  std::vector<Gap> not_applicable, failed;   ///< of the benchmark asked for
  std::int64_t waiting_count = 0;            ///< cells not finished, of all benchmarks
  bool of_one_benchmark = false;             ///< one was asked for
  std::int64_t superseded_count = 0;         ///< rows of older versions left out
  std::vector<LeaderboardPlugin> plugins;    ///< that made the numbers shown; sorted
  std::vector<std::string> engine_versions;  ///< sorted
  std::vector<std::string> numerics;         ///< sorted
  /// Of the boards' published rows.
  std::vector<PublishedSource> published_sources = {};
};

struct RankRequest;  // ranks.h

/// With `ranks`, rows get rank intervals and numbers marks; without, none.
Leaderboard make_leaderboard(const Results& results, const RankRequest* ranks = nullptr);
/// Gives every board what others have published of its benchmark and protocol; ranks stay as they are.
void add_published(Leaderboard& leaderboard, const Published& published);

}  // namespace nearfar
