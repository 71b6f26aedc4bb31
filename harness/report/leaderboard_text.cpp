/// The two plain tables: terminal and Markdown.
#include "base/text.h"
#include "report/leaderboard_forms.h"
#include "report/row_text.h"

#include <fmt/core.h>

#include <array>

namespace nearfar {
namespace {

constexpr std::array<const char*, 9> kHeader = {"rank",        "training",   "postprocessor", "near AUROC", "far AUROC",
                                                "near FPR@95", "far FPR@95", "ID acc",        "seeds"};

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

/// A name must not end its table cell or become markup.
std::string markdown_cell(std::string text) {
  constexpr std::array<std::pair<const char*, const char*>, 8> kEscapes = {{{"\\", "\\\\"},
                                                                            {"|", "\\|"},
                                                                            {"&", "&amp;"},
                                                                            {"<", "&lt;"},
                                                                            {">", "&gt;"},
                                                                            {"`", "\\`"},
                                                                            {"*", "\\*"},
                                                                            {"\n", " "}}};
  for (const auto& [from, to] : kEscapes) text = replace_all(std::move(text), from, to);
  return text;
}

}  // namespace

std::string leaderboard_text(const Leaderboard& leaderboard) {
  std::string text;
  for (const LeaderboardBoard& board : leaderboard.boards) {
    text += fmt::format("{} (percent; seeds {}; data {})\n", board_title(board), seed_list(board.ranked_seeds),
                        board.data_hash.substr(0, 12));
    text += table(cells(board), {true, false, false, true, true, true, true, true, true});
    if (!text.ends_with('\n')) text += '\n';
    text += '\n';
  }
  if (leaderboard.boards.empty()) text += "no results yet\n\n";
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
  }
  if (leaderboard.boards.empty()) text += "No results yet.\n\n";
  for (const std::string& note : footnotes(leaderboard)) text += "- " + markdown_cell(note) + "\n";
  return text;
}

}  // namespace nearfar
