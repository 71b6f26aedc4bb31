#include "report/row_text.h"

#include "base/text.h"
#include "report/joined.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

namespace nearfar {

std::string percent_text(const MeanStd* value) {
  if (!value) return "–";
  if (value->n < 2) return fmt::format("{:.2f}", value->mean * 100);
  return fmt::format("{:.2f} ± {:.2f}", value->mean * 100, value->std * 100);
}

SharedValues shared_values(const LeaderboardBoard& board) {
  const auto shared = [&](std::string RowName::*field) -> std::string {
    const bool same = std::ranges::all_of(
        board.rows, [&](const LeaderboardRow& row) { return row.*field == board.rows.front().*field; });
    return same && !board.rows.empty() ? board.rows.front().*field : "";
  };
  return {.architecture = shared(&RowName::architecture), .recipe = shared(&RowName::recipe)};
}

std::vector<std::string> training_details(const SharedValues& shared, const LeaderboardRow& row) {
  std::vector<std::string> details;
  if (shared.architecture.empty()) details.push_back(row.architecture);
  if (shared.recipe.empty()) details.push_back(row.recipe);
  details.push_back(replace_all(row.training_params, ";", ", "));
  std::erase(details, "");
  return details;
}

std::string training_text(const SharedValues& shared, const LeaderboardRow& row) {
  const std::vector<std::string> details = training_details(shared, row);
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

std::string rank_text(const LeaderboardRow& row) {
  if (!row.rank) return "–";
  if (!row.rank_low || row.rank_low == row.rank_high) return std::to_string(*row.rank);
  return fmt::format("{} ({}–{})", *row.rank, *row.rank_low, *row.rank_high);
}

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
  texts.reserve(seeds.size());
  for (const std::int64_t seed : seeds) texts.push_back(std::to_string(seed));
  return join(texts, ", ");
}

namespace {

/// One sentence per reason, naming its cells; where there are several benchmarks, with theirs.
void add_gaps(std::vector<std::string>& notes, std::string_view title, const std::vector<Gap>& gaps, bool with_state,
              bool with_benchmark) {
  std::map<std::string, std::set<std::string>> labels_by_reason;
  for (const Gap& gap : gaps) {
    // What does not apply, does so for every seed: one line for all.
    const std::string given = with_state ? gap.reason : without_seed(gap.reason);
    const std::string reason = given.empty() ? "no reason given" : given;
    std::string label = with_state ? gap.label : without_seed(gap.label);
    const std::string benchmark = gap.benchmark + ": ";  // plans of several benchmarks put it there themselves
    if (with_benchmark && !label.starts_with(benchmark)) label.insert(0, benchmark);
    labels_by_reason[with_state ? fmt::format("{}: {}", state_name(gap.state), reason) : reason].insert(
        std::move(label));
  }
  for (const auto& [reason, labels] : labels_by_reason) {
    notes.push_back(fmt::format("{}: {} ({}).", title, joined(labels, ", "), reason));
  }
}

bool has_several_benchmarks(const Leaderboard& leaderboard) {
  std::set<std::string_view> names;
  for (const LeaderboardBoard& board : leaderboard.boards) names.insert(board.benchmark);
  for (const auto* gaps : {&leaderboard.not_applicable, &leaderboard.failed}) {
    for (const Gap& gap : *gaps) names.insert(gap.benchmark);
  }
  return names.size() > 1;
}

/// One sentence a board, with its title where there are several; what several boards have in common once.
void add_over_sets(std::vector<std::string>& notes, const std::vector<LeaderboardBoard>& boards) {
  std::map<std::string, std::vector<std::string>> titles;  // by sentence
  for (const LeaderboardBoard& board : boards)
    titles[over_sets_sentence(board.over_sets)].push_back(board_title(board));
  for (const auto& [sentence, of_boards] : titles) {
    notes.push_back(titles.size() == 1 ? sentence : fmt::format("{}: {}", join(of_boards, "; "), sentence));
  }
}

/// "Rows that differ in train.epochs are shown apart."
void add_differing(std::vector<std::string>& notes, const std::vector<LeaderboardBoard>& boards) {
  std::set<std::string> names;
  for (const LeaderboardBoard& board : boards)
    names.insert(board.differing_factors.begin(), board.differing_factors.end());
  if (names.empty()) return;
  notes.push_back(fmt::format("Rows that differ in {} are shown apart.", joined(names, ", ")));
}

}  // namespace

std::string board_title(const LeaderboardBoard& board) {
  return fmt::format("{}, protocol {}", board.benchmark, board.protocol);
}

std::vector<std::string> footnotes(const Leaderboard& leaderboard) {
  std::vector<std::string> notes;
  notes.emplace_back(
      "Rank: by the average of near and far mean AUROC; ties share a rank. Means are unweighted over sets, per seed; ± "
      "is the population standard deviation over seeds. Control sets enter no mean.");
  std::set<std::string> sources;
  for (const LeaderboardBoard& board : leaderboard.boards) {
    if (!board.intervals_from.empty()) sources.insert(board.intervals_from);
  }
  if (!sources.empty()) {
    notes.push_back(fmt::format("Ranks in brackets, and what is marked as best or second: 95 % of resamples of {}.",
                                joined(sources, ", elsewhere of ")));
  }
  bool unranked = false;
  for (const LeaderboardBoard& board : leaderboard.boards) {
    unranked = unranked || std::ranges::any_of(board.rows, [](const LeaderboardRow& row) { return !row.rank; });
  }
  if (unranked) {
    notes.emplace_back(
        "Rows without a rank are partial, lack a set, have other seeds than the ranked ones, or are the control, whose "
        "scores are random numbers.");
  }
  add_over_sets(notes, leaderboard.boards);
  add_differing(notes, leaderboard.boards);
  const bool with_benchmark = has_several_benchmarks(leaderboard);
  add_gaps(notes, "Not applicable", leaderboard.not_applicable, false, with_benchmark);
  add_gaps(notes, "No result", leaderboard.failed, true, with_benchmark);
  if (leaderboard.waiting_count > 0) {
    notes.push_back(fmt::format("{} cells{} have not finished yet.", leaderboard.waiting_count,
                                leaderboard.of_one_benchmark ? " of all benchmarks together" : ""));
  }
  if (leaderboard.superseded_count > 0) {
    notes.push_back(fmt::format("{} rows made by older sources of plugins or older numerics are not shown.",
                                leaderboard.superseded_count));
  }
  for (const LeaderboardSource& source : leaderboard.sources) {
    notes.push_back(fmt::format("Results of {}: {}.", source.label(),
                                source.verified ? "verified" : "unverified, without a rank: " + source.reason));
  }
  return notes;
}

}  // namespace nearfar
