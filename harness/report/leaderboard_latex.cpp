/// A table for a paper: booktabs and siunitx.
#include "base/text.h"
#include "report/escape.h"
#include "report/leaderboard_forms.h"
#include "report/row_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

namespace nearfar {
namespace {

/// "93.21 +- 0.12", as siunitx reads it; one seed has no deviation. What is really best is bold, the second underlined.
std::string number_of(const LeaderboardRow& row, std::string_view group, std::string_view metric) {
  const auto found = std::ranges::find_if(row.numbers, [&](const LeaderboardNumber& number) {
    return number.group == group && number.metric == metric && (group == "id" || number.dataset == "mean");
  });
  if (found == row.numbers.end()) return "{--}";
  const MeanStd& value = found->value;
  const std::string text = value.n > 1 ? fmt::format("{:.2f} +- {:.2f}", 100 * value.mean, 100 * value.std)
                                       : fmt::format("{:.2f}", 100 * value.mean);
  if (found->mark == Mark::best) return "\\bfseries " + text;
  if (found->mark == Mark::second) return "{\\underline{\\num{" + text + "}}}";  // no number for the column any more
  return text;
}

std::string row_of(const SharedValues& shared, const LeaderboardRow& row) {
  std::vector<std::string> cells{row.rank ? std::to_string(*row.rank) : "{--}", latex_text(training_text(shared, row)),
                                 latex_text(postprocessor_text(row))};
  for (const char* metric : {"auroc", "fpr95"}) {
    for (const char* group : {"near", "far"}) cells.push_back(number_of(row, group, metric));
  }
  cells.push_back(number_of(row, "id", "accuracy"));
  const std::string marks = row.unranked_reason.empty() ? "" : "  % not ranked: " + latex_text(row.unranked_reason);
  return "    " + join(cells, " & ") + " \\\\" + marks + "\n";
}

std::string board_of(const LeaderboardBoard& board) {
  std::string text =
      "\\begin{table}\n  \\centering\n  "
      "\\sisetup{separate-uncertainty=true,retain-zero-uncertainty=true,table-align-uncertainty=false,"
      "mode=text,reset-text-series=false}\n"
      "  \\begin{tabular}{rll*{5}{S[table-format=3.2(4)]}}\n    \\toprule\n"
      "    & & & \\multicolumn{2}{c}{AUROC $\\uparrow$} & \\multicolumn{2}{c}{FPR@95 $\\downarrow$} & \\\\\n"
      "    \\cmidrule(lr){4-5} \\cmidrule(lr){6-7}\n"
      "    & Training & Postprocessor & {near} & {far} & {near} & {far} & {ID accuracy} \\\\\n    \\midrule\n";
  const SharedValues shared = shared_values(board);
  bool ranked = true;
  for (const LeaderboardRow& row : board.rows) {
    if (ranked && !row.rank && &row != board.rows.data()) text += "    \\midrule\n";
    ranked = row.rank.has_value();
    text += row_of(shared, row);
  }
  return text + "    \\bottomrule\n  \\end{tabular}\n" +
         fmt::format(
             "  \\caption{{{}: percent, mean $\\pm$ population standard deviation over the seeds {}; data manifest "
             "\\texttt{{{}}}.}}\n\\end{{table}}\n",
             latex_text(board_title(board)), seed_list(board.ranked_seeds), latex_text(board.data_hash.substr(0, 12)));
}

}  // namespace

std::string leaderboard_latex(const Leaderboard& leaderboard) {
  std::string text = "% \\usepackage{booktabs,siunitx}  % siunitx of version 3\n";
  for (const LeaderboardBoard& board : leaderboard.boards) text += "\n" + board_of(board);
  for (const std::string& note : footnotes(leaderboard)) text += "% " + replace_all(note, "\n", " ") + "\n";
  return text;
}

}  // namespace nearfar
