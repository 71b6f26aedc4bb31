#include "report/page_board.h"

#include "base/text.h"
#include "report/order.h"
#include "report/row_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

namespace nearfar {
namespace {

/// Through the text that other forms print: whatever rounds one way there, rounds so here.
std::optional<int> printed(double fraction) {
  if (!std::isfinite(fraction)) return std::nullopt;
  const std::string text = replace_all(fmt::format("{:.2f}", fraction * 100), ".", "");
  int hundredths = 0;
  std::from_chars(text.data(), text.data() + text.size(), hundredths);
  return hundredths;
}

std::optional<PageNumber> make_number(const LeaderboardNumber& number) {
  const std::optional<int> mean = printed(number.value.mean);
  if (!mean) return std::nullopt;
  PageNumber result{.mean = *mean};
  if (number.value.n > 1) {
    result.deviation = printed(number.value.std);
    if (const auto half = number.half_width()) result.half_width = printed(*half);
    for (const double value : number.by_seed) result.by_seed.push_back(printed(value).value_or(*mean));
  }
  return result;
}

void add_columns(std::vector<PageColumn>& columns, const GroupInfo& group, const std::string& dataset,
                 const std::string& role, std::span<const MetricInfo> metrics) {
  for (const MetricInfo& metric : metrics)
    columns.push_back(
        {group.key, group.title, group.role, dataset, role, metric.key, metric.title, metric.lower_is_better});
}

std::vector<PageColumn> make_columns(const LeaderboardBoard& board) {
  std::vector<PageColumn> columns;
  for (const GroupInfo& group : kOodGroups) {
    bool is_first = true;
    for (const BenchmarkSet& set : board.sets) {
      if (set.group != group.key) continue;
      if (is_first && group.has_means) add_columns(columns, group, "mean", "", kOodMetrics);
      is_first = false;
      add_columns(columns, group, set.name, set.role, kOodMetrics);
    }
  }
  const GroupInfo& id = kGroups.front();
  add_columns(columns, id, "accuracy", "", std::span(kMetrics).last(1));
  return columns;
}

/// Where a number's column is. Accuracy is one column, whichever images it is of.
class Places {
 public:
  explicit Places(const std::vector<PageColumn>& columns) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      places_.emplace(Key(columns[i].group, columns[i].dataset, columns[i].metric), i);
  }
  template <class Number>
  std::optional<std::size_t> of(const Number& number) const {
    const bool is_accuracy = number.group == "id" && number.metric == "accuracy";
    const auto found = places_.find(Key(number.group, is_accuracy ? "accuracy" : number.dataset, number.metric));
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  using Key = std::tuple<std::string_view, std::string_view, std::string_view>;
  std::map<Key, std::size_t> places_;
};

PageRow make_row(const SharedValues& shared, const LeaderboardRow& row) {
  PageRow result{.part = row.rank ? PageRow::Part::ranked : PageRow::Part::unranked,
                 .rank = row.rank,
                 .rank_low = row.rank_low,
                 .rank_high = row.rank_high,
                 .training = row.training,
                 .architecture = row.architecture,
                 .postprocessor = row.postprocessor,
                 .postprocessor_details = replace_all(row.postprocessor_params, ";", ", "),
                 .classifier = row.classifier,
                 .seeds = seed_list(row.seeds),
                 .seed_count = static_cast<int>(row.seeds.size()),
                 .tuned_on = row.tuned ? "validation sets" : "nothing",
                 .train_seconds = row.cost.train_seconds,
                 .score_seconds = row.cost.score_seconds,
                 .device = row.cost.device};
  std::vector<std::string> details;  // the architecture has a column of its own
  if (shared.recipe.empty() && !row.recipe.empty()) details.push_back(row.recipe);
  if (!row.training_params.empty()) details.push_back(replace_all(row.training_params, ";", ", "));
  result.training_details = join(details, ", ");
  result.marks = split(row.flags, ';');
  std::erase(result.marks, "");
  if (!row.rank && std::ranges::find(result.marks, row.unranked_reason) == result.marks.end())
    result.marks.push_back(row.unranked_reason);
  if (!row.source.empty()) result.marks.insert(result.marks.begin(), "of " + row.source);
  return result;
}

PageRow make_published_row(const PublishedRow& row, const Places& places, std::size_t column_count) {
  PageRow result{.part = PageRow::Part::published,
                 .training = row.training.name,
                 .architecture = row.architecture.name,
                 .postprocessor = row.postprocessor.name,
                 .marks = {row.source}};
  result.numbers.resize(column_count);
  for (const PublishedNumber& number : row.numbers) {
    const auto place = places.of(number);
    const auto mean = printed(number.mean);
    if (!place || !mean) continue;
    result.numbers[*place] = PageNumber{.mean = *mean, .doubt = number.doubt};
    if (number.std) result.numbers[*place]->deviation = printed(*number.std);
  }
  return result;
}

/// Where nothing says which differences are real: the highest of ranked rows, as printed.
void mark_highest(PageBoard& board) {
  for (std::size_t column = 0; column < board.columns.size(); ++column) {
    const PageColumn& c = board.columns[column];
    if (c.group == "control") continue;
    std::optional<int> best;
    const auto ranked_number = [&](PageRow& row) -> std::optional<PageNumber>& { return row.numbers[column]; };
    for (PageRow& row : board.rows) {
      const auto& number = ranked_number(row);
      if (row.part != PageRow::Part::ranked || !number) continue;
      if (!best || (c.lower_is_better ? number->mean < *best : number->mean > *best)) best = number->mean;
    }
    for (PageRow& row : board.rows) {
      auto& number = ranked_number(row);
      if (row.part == PageRow::Part::ranked && number && number->mean == best) number->mark = Mark::best;
    }
  }
}

bool has_namesake(const Leaderboard& leaderboard, const LeaderboardBoard& board) {
  return std::ranges::count_if(leaderboard.boards, [&](const LeaderboardBoard& other) {
           return board_title(other) == board_title(board);
         }) > 1;
}

std::string shared_text(const SharedValues& values, const LeaderboardBoard& board, bool with_data) {
  std::vector<std::string> shared;
  if (!values.architecture.empty()) shared.push_back(values.architecture);
  if (!values.recipe.empty()) shared.push_back("recipe " + values.recipe);
  if (with_data) shared.push_back("data " + board.data_hash.substr(0, 12));
  return join(shared, ", ");
}

}  // namespace

PageBoard page_board(const Leaderboard& leaderboard, const LeaderboardBoard& board) {
  const SharedValues shared = shared_values(board);
  const bool with_data = has_namesake(leaderboard, board);
  PageBoard page{.id = fmt::format("{}/{}", board.benchmark, board.protocol),
                 .benchmark = board.benchmark,
                 .protocol = board.protocol,
                 .shared = shared_text(shared, board, with_data),
                 .has_architectures = shared.architecture.empty(),
                 .has_real_marks = !board.intervals_from.empty(),
                 .columns = make_columns(board)};
  if (with_data) page.id += "/" + board.data_hash.substr(0, 12);
  const Places places(page.columns);
  for (const LeaderboardRow& row : board.rows) {
    PageRow& added = page.rows.emplace_back(make_row(shared, row));
    added.numbers.resize(page.columns.size());
    for (const LeaderboardNumber& number : row.numbers) {
      const auto place = places.of(number);
      if (!place) continue;
      added.numbers[*place] = make_number(number);
      if (page.has_real_marks && added.numbers[*place]) added.numbers[*place]->mark = number.mark;
    }
  }
  if (!page.has_real_marks) mark_highest(page);
  for (const PublishedRow& row : board.published)
    page.rows.push_back(make_published_row(row, places, page.columns.size()));
  return page;
}

std::string page_number(int hundredths) {
  return fmt::format("{}{}.{:02}", hundredths < 0 ? "-" : "", std::abs(hundredths) / 100, std::abs(hundredths) % 100);
}

std::string page_seconds(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.2g} s", seconds);
  if (seconds < 99.5) return fmt::format("{:.0f} s", seconds);
  if (seconds < 99.5 * 60) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string_view reason_text(std::string_view mark) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kReasons = {{
      {"partial", "only a part of the images was scored (--limit)"},
      {"incomplete", "a set of this benchmark, or a seed of it, has no result"},
      {"other seeds", "its seeds are not those that most rows have, so that a difference may be one of seeds"},
      {"control", "its scores are random numbers: what no method should be below"},
      {"tuned on test", "its parameters were chosen on the sets it is measured on"},
      {"unverified", "its numbers could not be recomputed from the evidence that came with them"},
      {"failed", "a cell of it failed"},
  }};
  const auto* found = std::ranges::find(kReasons, mark, &std::pair<std::string_view, std::string_view>::first);
  return found == kReasons.end() ? std::string_view() : found->second;
}

}  // namespace nearfar
