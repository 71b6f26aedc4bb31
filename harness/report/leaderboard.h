#pragma once
/// The leaderboard: rows are methods, seeds are aggregated, ranks are given only between rows that may be compared.
/// Made from the database alone; every form below shows the same Leaderboard. Pure functions, safe from any thread (the
/// Store is not).
///
/// Rules. A row is (training + parameters, architecture, recipe, postprocessor + parameters) on a board. A board is
/// (benchmark, data manifest, protocol). A row's numbers are mean ± population standard deviation over its seeds. Near
/// and far means are unweighted over the sets of one seed, then aggregated; control sets never enter them. Rows are
/// ranked by the average of near and far mean AUROC (of the one there is, where a benchmark has one group only), as
/// printed: equal to four decimals of a percent is a tie, and ties share a rank. Not ranked but listed below: the
/// control (scores that know nothing), partial rows, rows with other seeds than most, rows that lack a set. Of several
/// results of one row that differ only in versions (plugin sources, numerics, head) the newest is shown, and their
/// number is told.
#include "store/store.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// The postprocessor whose scores are random numbers: its rows show what no method is, about 50 percent.
inline constexpr std::string_view kControlPostprocessor = "random";

struct LeaderboardFilter {
  // empty = all
  std::optional<std::string> experiment = std::nullopt;
  std::optional<std::string> benchmark = std::nullopt;
  std::optional<std::string> protocol = std::nullopt;
};

/// Mean and population standard deviation over seeds, as fractions.
struct Aggregate {
  double mean = 0, std = 0;
  std::int64_t seed_count = 0;
};
Aggregate aggregate(const std::vector<double>& values_by_seed);

struct LeaderboardNumber {
  std::string group, dataset, metric;  ///< dataset "mean" for the means of near and far
  Aggregate value;
};

struct LeaderboardRow {
  std::string training, training_params, architecture, recipe, postprocessor, postprocessor_params;
  std::string classifier;           ///< "linear", "ncm" or "": what ID accuracy was measured with
  std::string flags;                ///< "control;count-mismatch;partial", sorted
  std::vector<std::int64_t> seeds;  ///< ascending
  std::vector<LeaderboardNumber>
      numbers;  ///< id, near, far, control; mean first, then sets as in the benchmark; auroc, fpr95, aupr_in, aupr_out
  std::optional<int> rank;
  std::string unranked_reason;  ///< "control", "partial", "incomplete", "other seeds" where there is no rank

  /// nullptr if the row has no such number.
  const Aggregate* number(std::string_view group, std::string_view dataset, std::string_view metric) const;
  /// The accuracy row: (id, test or test+csid, accuracy).
  const Aggregate* accuracy() const;
  /// What ranks: the average of near and far mean AUROC. nullopt if there is neither.
  std::optional<double> score() const;
};

struct LeaderboardBoard {
  std::string benchmark, data_hash, protocol;
  std::vector<BenchmarkSet> sets;  ///< OOD sets that were measured: near, far, control, in the benchmark's order
  std::vector<std::int64_t> ranked_seeds;  ///< the seeds that ranked rows share
  std::vector<LeaderboardRow> rows;        ///< ranked ones by rank, then the others; ties by name
};

/// A cell without a result, told in a footnote.
struct LeaderboardGap {
  std::string label, state, reason;
};

struct LeaderboardPlugin {
  std::string kind, name, version, source_hash;
};

struct Leaderboard {
  std::vector<LeaderboardBoard> boards;  ///< by benchmark, protocol, data manifest
  std::vector<LeaderboardGap> not_applicable, failed;
  std::int64_t waiting_count = 0;                      ///< cells planned or running
  std::int64_t superseded_count = 0;                   ///< rows of older versions left out
  std::vector<LeaderboardPlugin> plugins;              ///< that made the numbers shown; sorted
  std::vector<std::string> engine_versions, numerics;  ///< sorted
};

Leaderboard load_leaderboard(const Store& store, const LeaderboardFilter& filter = {});

/// Tidy rows, one number each, percent with four decimals, no times: two equal experiments give equal bytes. Columns:
/// training,postprocessor,architecture,benchmark,protocol,group,dataset,metric,mean,std,seeds,
/// recipe,training_params,postprocessor_params,flags
/// `seeds` is their number. Quoted as RFC 4180, lines end with LF, rows sorted by name.
std::string leaderboard_csv(const Leaderboard& leaderboard);
/// One document: boards, rows with all numbers (fractions), gaps, provenance.
std::string leaderboard_json(const Leaderboard& leaderboard);
/// One GitHub table per board.
std::string leaderboard_markdown(const Leaderboard& leaderboard);
/// One table per board for a terminal; percent with two decimals.
std::string leaderboard_text(const Leaderboard& leaderboard);
/// One file that needs nothing else: leaderboard.html.mustache, .css and .js of `templates` filled in. Error(data) if
/// one cannot be read, Error(config) if the template does not parse.
std::string leaderboard_html(const Leaderboard& leaderboard, const std::filesystem::path& templates);

}  // namespace nearfar
