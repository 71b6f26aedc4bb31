/// The two plain tables: terminal and Markdown.
#include "base/text.h"
#include "report/escape.h"
#include "report/leaderboard_forms.h"
#include "report/published_text.h"
#include "report/row_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace nearfar {
namespace {

constexpr std::array<const char*, 9> kHeader = {"rank",        "training",   "postprocessor", "near AUROC", "far AUROC",
                                                "near FPR@95", "far FPR@95", "ID acc",        "seeds"};

constexpr std::array<bool, 9> kRightAligned = {true, false, false, true, true, true, true, true, true};

std::vector<std::vector<std::string>> cells(const LeaderboardBoard& board) {
  std::vector<std::vector<std::string>> rows = {{kHeader.begin(), kHeader.end()}};
  const SharedValues shared = shared_values(board);
  for (const LeaderboardRow& row : board.rows) {
    rows.push_back({rank_text(row), training_text(shared, row), postprocessor_text(row),
                    percent_text(row.number("near", "mean", "auroc")), percent_text(row.number("far", "mean", "auroc")),
                    percent_text(row.number("near", "mean", "fpr95")), percent_text(row.number("far", "mean", "fpr95")),
                    accuracy_text(row), seeds_text(row)});
  }
  return rows;
}

/// The columns that stay.
std::string table_of(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& columns) {
  std::vector<std::vector<std::string>> kept;
  for (const std::vector<std::string>& row : rows) {
    std::vector<std::string>& shown = kept.emplace_back();
    for (const std::size_t column : columns) shown.push_back(row[column]);
  }
  std::vector<bool> right_aligned;
  for (const std::size_t column : columns) right_aligned.push_back(kRightAligned[column]);
  return table(kept, right_aligned);
}

bool fits(std::string_view text, std::size_t width) {
  return std::ranges::all_of(split(text, '\n'),
                             [&](const std::string& line) { return clipped(line, width).size() == line.size(); });
}

/// Longer names end with "…".
void shorten_names(std::vector<std::vector<std::string>>& rows, std::size_t longest) {
  for (std::vector<std::string>& row : rows) {
    for (const std::size_t column : {1U, 2U}) {
      if (clipped(row[column], longest).size() < row[column].size())
        row[column] = std::string(clipped(row[column], longest - 1)) + "…";
    }
  }
}

struct FittedTable {
  std::string text, left_out;
};

/// FPR@95 goes first, then seeds and accuracy; at last names are shortened.
FittedTable fitted_table(const LeaderboardBoard& board, std::size_t width) {
  std::vector<std::vector<std::string>> rows = cells(board);
  const std::pair<std::vector<std::size_t>, const char*> choices[] = {{{0, 1, 2, 3, 4, 5, 6, 7, 8}, ""},
                                                                      {{0, 1, 2, 3, 4, 7, 8}, "FPR@95"},
                                                                      {{0, 1, 2, 3, 4}, "FPR@95, accuracy, seeds"}};
  for (const auto& [columns, left_out] : choices) {
    std::string text = table_of(rows, columns);
    if (width == 0 || fits(text, width)) return {std::move(text), left_out};
  }
  constexpr std::size_t kShortest = 8;
  const auto& [columns, left_out] = choices[2];
  for (std::size_t longest = 40; longest >= kShortest; longest -= 4) {
    shorten_names(rows, longest);
    std::string text = table_of(rows, columns);
    if (fits(text, width) || longest == kShortest)
      return {std::move(text), std::string(left_out) + " and the ends of names"};
  }
  return {};
}

}  // namespace

std::string leaderboard_text(const Leaderboard& leaderboard, std::size_t width) {
  std::string text;
  std::set<std::string> left_out;
  for (const LeaderboardBoard& board : leaderboard.boards) {
    text += fmt::format("{} (percent; seeds {}; data {})\n", board_title(board), seed_list(board.ranked_seeds),
                        board.data_hash.substr(0, 12));
    FittedTable fitted = fitted_table(board, width);
    text += fitted.text + '\n';
    if (!fitted.left_out.empty()) left_out.insert(std::move(fitted.left_out));
  }
  if (leaderboard.boards.empty()) text += "no results yet\n\n";
  for (const std::string& names : left_out)
    text += fmt::format("Not shown on {} columns: {}; --csv, --html and the others have everything.\n", width, names);
  for (const std::string& note : footnotes(leaderboard)) text += note + "\n";
  return text;
}

std::string leaderboard_markdown(const Leaderboard& leaderboard) {
  std::string text;
  for (const LeaderboardBoard& board : leaderboard.boards) {
    text += fmt::format("### {}\n\n", markdown_cell(board_title(board)));
    bool header = true;
    for (const std::vector<std::string>& row : cells(board)) {
      for (const std::string& cell : row) text += "| " + markdown_cell(cell) + " ";
      text += "|\n";
      if (header) text += "|---:|:---|:---|---:|---:|---:|---:|---:|---:|\n";
      header = false;
    }
    text += fmt::format("\nPercent; ranked rows have the seeds {}; data manifest `{}`.\n\n",
                        seed_list(board.ranked_seeds), board.data_hash.substr(0, 12));
    for (const ReportTable& table : published_tables(board, leaderboard.published_sources))
      text += table_markdown(table, "####");
  }
  if (leaderboard.boards.empty()) text += "No results yet.\n\n";
  for (const std::string& note : footnotes(leaderboard)) text += "- " + markdown_cell(note) + "\n";
  return text;
}

}  // namespace nearfar
