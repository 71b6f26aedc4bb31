#include "report/leaderboard.h"

#include "base/text.h"
#include "report/rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <set>

namespace nearfar {

Aggregate aggregate(const std::vector<double>& values_by_seed) {
  if (values_by_seed.empty()) return {};
  const double count = static_cast<double>(values_by_seed.size());
  double sum = 0, squares = 0;
  for (const double value : values_by_seed) sum += value;
  const double mean = sum / count;
  for (const double value : values_by_seed) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / count), static_cast<std::int64_t>(values_by_seed.size())};
}

const Aggregate* LeaderboardRow::number(std::string_view group, std::string_view dataset,
                                        std::string_view metric) const {
  const auto found = std::ranges::find_if(numbers, [&](const LeaderboardNumber& n) {
    return n.group == group && n.dataset == dataset && n.metric == metric;
  });
  return found == numbers.end() ? nullptr : &found->value;
}

const Aggregate* LeaderboardRow::accuracy() const {
  const auto found = std::ranges::find_if(
      numbers, [](const LeaderboardNumber& n) { return n.group == "id" && n.metric == "accuracy"; });
  return found == numbers.end() ? nullptr : &found->value;
}

std::optional<double> LeaderboardRow::score() const {
  const Aggregate* near = number("near", "mean", "auroc");
  const Aggregate* far = number("far", "mean", "auroc");
  if (near && far) return (near->mean + far->mean) / 2;
  if (near || far) return (near ? near : far)->mean;
  return std::nullopt;
}

std::string percent_text(const Aggregate* value) {
  if (!value) return "–";
  if (value->seed_count < 2) return fmt::format("{:.2f}", value->mean * 100);
  return fmt::format("{:.2f} ± {:.2f}", value->mean * 100, value->std * 100);
}

bool shared_value(const LeaderboardBoard& board, std::string LeaderboardRow::*field) {
  return !board.rows.empty() && !(board.rows[0].*field).empty() &&
         std::ranges::all_of(board.rows, [&](const LeaderboardRow& row) { return row.*field == board.rows[0].*field; });
}

std::vector<std::string> training_details(const LeaderboardBoard& board, const LeaderboardRow& row) {
  std::vector<std::string> details;
  if (!shared_value(board, &LeaderboardRow::architecture)) details.push_back(row.architecture);
  if (!shared_value(board, &LeaderboardRow::recipe)) details.push_back(row.recipe);
  details.push_back(replace_all(row.training_params, ";", ", "));
  std::erase(details, "");
  return details;
}

std::string training_text(const LeaderboardBoard& board, const LeaderboardRow& row) {
  const std::vector<std::string> details = training_details(board, row);
  return details.empty() ? row.training : fmt::format("{} ({})", row.training, join(details, ", "));
}

std::string postprocessor_text(const LeaderboardRow& row) {
  if (row.postprocessor_params.empty()) return row.postprocessor;
  return fmt::format("{} ({})", row.postprocessor, replace_all(row.postprocessor_params, ";", ", "));
}

std::string accuracy_text(const LeaderboardRow& row) {
  const std::string number = percent_text(row.accuracy());
  return !row.accuracy() || row.classifier.empty() ? number : fmt::format("{} ({})", number, row.classifier);
}

std::string rank_text(const LeaderboardRow& row) { return row.rank ? std::to_string(*row.rank) : "–"; }

std::string seeds_text(const LeaderboardRow& row) {
  std::vector<std::string> parts = {std::to_string(row.seeds.size())};
  for (const std::string& flag : split(row.flags, ';')) {
    if (!flag.empty()) parts.push_back(flag);
  }
  if (!row.rank && std::ranges::find(parts, row.unranked_reason) == parts.end()) parts.push_back(row.unranked_reason);
  return join(parts, "; ");
}

std::string seed_list(const std::vector<std::int64_t>& seeds) {
  std::vector<std::string> texts;
  for (const std::int64_t seed : seeds) texts.push_back(std::to_string(seed));
  return join(texts, ", ");
}

namespace {

/// "ce/resnet8/s0 msp" → "ce/resnet8 msp": what does not apply, does so for every seed.
std::string without_seed(const std::string& label) {
  static const std::regex seed("/s[0-9]+(?=[ /]|$)");
  return std::regex_replace(label, seed, "");
}

/// One sentence per reason, naming its cells.
void add_gaps(std::vector<std::string>& notes, std::string_view title, const std::vector<LeaderboardGap>& gaps,
              bool with_state) {
  std::map<std::string, std::set<std::string>> labels_by_reason;
  for (const LeaderboardGap& gap : gaps) {
    const std::string reason = gap.reason.empty() ? "no reason given" : gap.reason;
    labels_by_reason[with_state ? fmt::format("{}: {}", gap.state, reason) : reason].insert(
        with_state ? gap.label : without_seed(gap.label));
  }
  for (const auto& [reason, labels] : labels_by_reason) {
    const std::vector<std::string> names(labels.begin(), labels.end());
    notes.push_back(fmt::format("{}: {} ({}).", title, join(names, ", "), reason));
  }
}

}  // namespace

std::vector<std::string> footnotes(const Leaderboard& leaderboard) {
  std::vector<std::string> notes;
  notes.push_back(
      "Rank: by the average of near and far mean AUROC; ties share a rank. Means are unweighted over sets, per seed; ± "
      "is the population "
      "standard deviation over seeds. Control sets enter no mean.");
  bool unranked = false;
  for (const LeaderboardBoard& board : leaderboard.boards) {
    unranked = unranked || std::ranges::any_of(board.rows, [](const LeaderboardRow& row) { return !row.rank; });
  }
  if (unranked)
    notes.push_back(
        "Rows without a rank are partial, lack a set, have other seeds than the ranked ones, or are the control, whose "
        "scores are random "
        "numbers.");
  add_gaps(notes, "Not applicable", leaderboard.not_applicable, false);
  add_gaps(notes, "No result", leaderboard.failed, true);
  if (leaderboard.waiting_count > 0)
    notes.push_back(fmt::format("{} cells have not finished yet.", leaderboard.waiting_count));
  if (leaderboard.superseded_count > 0) {
    notes.push_back(fmt::format("{} rows made by older versions of plugins or numerics are not shown.",
                                leaderboard.superseded_count));
  }
  return notes;
}

}  // namespace nearfar
