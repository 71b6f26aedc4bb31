#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "base/terminal.h"
#include "cli/bundle_verbs.h"
#include "cli/figures.h"
#include "cli/load_leaderboard.h"
#include "cli/report_target.h"
#include "cli/sources.h"
#include "cli/verbs.h"
#include "report/leaderboard.h"
#include "report/leaderboard_forms.h"
#include "report/published.h"
#include "report/results.h"
#include "store/address.h"
#include "store/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

fs::path templates() { return share() / "reports"; }

/// 0 where stdout is no terminal: everything, however wide.
std::size_t terminal_width() {
  const auto size = terminal_size(STDOUT_FILENO);
  return size ? size->columns : 0;
}

ReportFilter filter_of(const std::string& experiment) {
  ReportFilter filter;
  if (!experiment.empty()) filter.experiment = experiment;
  return filter;
}

/// BENCHMARK-PROTOCOL, with the data manifest where two boards would else have one name.
std::string board_name(const Leaderboard& leaderboard, const LeaderboardBoard& board) {
  const auto same = std::ranges::count_if(leaderboard.boards, [&](const LeaderboardBoard& other) {
    return other.benchmark == board.benchmark && other.protocol == board.protocol;
  });
  return board.benchmark + "-" + board.protocol + (same > 1 ? "-" + board.data_hash.substr(0, 12) : "");
}

using Figures = std::vector<std::vector<plot::Figure>>;

/// In every form asked for; without one as text.
void show(const Leaderboard& leaderboard, const Figures& figures, const ReportArguments& arguments) {
  using Form = std::function<std::string()>;
  const std::pair<const std::string&, Form> forms[] = {
      {arguments.csv, [&] { return leaderboard_csv(leaderboard); }},
      {arguments.markdown, [&] { return leaderboard_markdown(leaderboard); }},
      {arguments.latex, [&] { return leaderboard_latex(leaderboard); }},
      {arguments.json, [&] { return leaderboard_json(leaderboard); }},
      {arguments.html, [&] { return leaderboard_html(leaderboard, templates(), figures); }}};
  bool written = !arguments.svg.empty();
  for (const auto& [target, form] : forms) {
    if (target.empty()) continue;
    put_form(target, form());
    written = true;
  }
  if (!arguments.svg.empty()) {
    for (std::size_t i = 0; i < leaderboard.boards.size(); ++i)
      write_figures(arguments.svg, board_name(leaderboard, leaderboard.boards[i]), figures[i]);
  }
  if (!written) fmt::print("{}", leaderboard_text(leaderboard, terminal_width()));
}

}  // namespace

int report_verb(const ReportArguments& arguments) {
  const fs::path database = database_of(arguments.database);
  if (arguments.selective && arguments.json.empty())
    throw Error(ErrorKind::config, "--selective adds numbers to the JSON alone; add --json");
  const Session session = Session::open_read_only(database);
  const Results results = load_results(session.results(), filter_of(arguments.experiment));
  const Leaderboard leaderboard = load_leaderboard(session, results, arguments.selective);
  if (leaderboard.boards.empty())
    throw Error(ErrorKind::nothing, fmt::format("{}: has no finished results yet; `nearfar status` shows the cells",
                                                shown_database(database)));
  const bool with_figures = !arguments.html.empty() || !arguments.svg.empty();
  show(leaderboard, with_figures ? load_figures(session, results, leaderboard, arguments.log_fpr) : Figures{},
       arguments);
  return 0;
}

int report_sources_verb(const std::vector<std::string>& from, const ReportArguments& arguments) {
  if (arguments.selective)
    throw Error(ErrorKind::config, "--selective is for one's own database; leave it out, or name one with --db");
  if (!arguments.svg.empty())
    throw Error(ErrorKind::config, "--svg is for one's own database; leave it out, or `nearfar merge` the databases");
  Leaderboard leaderboard = leaderboard_of(from, filter_of(arguments.experiment));
  if (leaderboard.boards.empty())
    throw Error(
        ErrorKind::nothing,
        "none of the sources given with --from has results that can be read; `nearfar verify` tells of each what "
        "is wrong");
  add_published(leaderboard, read_published(share() / "reports/published"));
  show(leaderboard, {}, arguments);
  return 0;
}

std::string write_leaderboards(const fs::path& database, const fs::path& out) {
  const Session session = Session::open_read_only(database);
  const Results results = load_results(session.results());
  const Leaderboard leaderboard = load_leaderboard(session, results);
  const std::pair<const char*, std::string> files[] = {
      {"leaderboard.csv", leaderboard_csv(leaderboard)},
      {"leaderboard.md", leaderboard_markdown(leaderboard)},
      {"leaderboard.html", leaderboard_html(leaderboard, templates(), load_figures(session, results, leaderboard))}};
  for (const auto& [name, content] : files) {
    try {
      write_file_atomic(out / name, content);
    } catch (const Error& error) {  // as a full disk ends everything else that a run writes
      throw Error(ErrorKind::store, fmt::format("{}; all results are in the database, and `nearfar report` makes the "
                                                "leaderboard from it",
                                                error.what()));
    }
  }
  return leaderboard_text(leaderboard, terminal_width());
}

}  // namespace nearfar
