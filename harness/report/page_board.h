#pragma once
/// Private to report/: a board as the HTML page shows it, every number as printed, and the two ways in which the page
/// carries it: a table that needs no script, and data for the script, which shows everything else. Pure functions.
#include "report/leaderboard.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// In hundredths of a percent, rounded as the other forms print it: equal as shown is equal here.
struct PageNumber {
  int mean = 0;
  std::optional<int> deviation = {}, half_width = {};  ///< of several seeds; see LeaderboardNumber
  std::vector<int> by_seed = {};                       ///< of several seeds
  Mark mark = Mark::none;
  std::string doubt = {};  ///< of a published number: why it is not to be trusted
};

/// All numbers of one (group, dataset, metric): near and far means and sets by every metric, then accuracy ("id").
struct PageColumn {
  std::string_view group, group_title, group_role;
  std::string dataset, role;
  std::string_view metric, metric_title;
  bool lower_is_better = false;
  bool is_mean() const { return dataset == "mean"; }
};

struct PageRow {
  enum class Part { ranked, unranked, published };
  Part part = Part::ranked;
  std::optional<int> rank = {}, rank_low = {}, rank_high = {};
  std::string training = {}, training_details = {}, architecture = {}, postprocessor = {}, postprocessor_details = {};
  std::string classifier = {};
  std::string seeds = {};  ///< "0, 1"
  int seed_count = 0;
  std::string tuned_on = {};  ///< "validation sets", "nothing", "" where it is not known
  std::optional<double> train_seconds = {}, score_seconds = {};
  std::string device = {};
  std::vector<std::string> marks = {};                  ///< flags and why it has no rank: "partial"
  std::vector<std::optional<PageNumber>> numbers = {};  ///< one a column
};

struct PageBoard {
  std::string id = {};  ///< "cifar10/ood": the same in every page of this benchmark
  std::string benchmark = {}, protocol = {};
  std::string shared = {};         ///< "resnet18_32x32, recipe short": what all rows have in common
  bool has_architectures = false;  ///< rows differ in it
  bool has_real_marks = false;  ///< marks say that a difference is real; else that a number is the highest as printed
  std::vector<PageColumn> columns = {};
  std::vector<PageRow> rows = {};  ///< ranked, unranked, published; what was published is shown by its own names
};

PageBoard page_board(const Leaderboard& leaderboard, const LeaderboardBoard& board);

/// thead and tbodies: AUROC of every set, means, accuracy, seeds, cost.
std::string page_table(const PageBoard& board);

/// A JSON document that may stand in a <script>: no `<`, `>`, `&` and no line separator of JavaScript. Numbers by
/// column, by_seed as differences from the mean: a page has a quarter of a million.
std::string page_data(const PageBoard& board);
/// What boards have in common: metrics, and why rows have no rank.
std::string page_words();

/// Text with the five characters escaped that mean something in HTML.
std::string html_text(std::string_view text);
/// "93.21".
std::string page_number(int hundredths);
/// "0.41 s", "12 s", "3 min", "2.5 h".
std::string page_seconds(double seconds);

/// Why a row with this mark is not ranked, in a sentence; "" for words that do not keep a row from a rank.
std::string_view reason_text(std::string_view mark);

}  // namespace nearfar
