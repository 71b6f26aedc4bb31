#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "base/log.h"
#include "base/terminal.h"
#include "cli/scores.h"
#include "cli/verbs.h"
#include "report/leaderboard.h"
#include "report/leaderboard_forms.h"
#include "report/published.h"
#include "report/ranks.h"
#include "report/results.h"
#include "report/selective_numbers.h"
#include "store/address.h"
#include "store/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <functional>
#include <utility>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

fs::path templates() { return share() / "reports"; }

void put(const std::string& target, const std::string& content) {
  if (target == "-")
    fmt::print("{}", content);
  else
    write_file_atomic(target, content);
}

/// 0 where stdout is no terminal: everything, however wide.
std::size_t terminal_width() {
  const auto size = terminal_size(STDOUT_FILENO);
  return size ? size->columns : 0;
}

/// A row whose files are gone or changed stays without; the others have theirs.
Evidence evidence_of(const Session& session, const ResultSubject& subject) {
  try {
    Correct correct = read_correct(session, subject.accuracy_key);
    if (correct.empty()) return {};  // the scores need not be read
    return {.scores = read_scores(session, subject.cell_key), .correct = std::move(correct)};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data && error.kind() != ErrorKind::nothing) throw;
    log_warn(fmt::format("no AURC of cell {}: {}", subject.cell_key.substr(0, 12), error.what()));
    return {};
  }
}

Leaderboard load(const fs::path& database, const std::string& experiment, bool selective = false) {
  const Session session = Session::open_read_only(database);
  ReportFilter filter;
  if (!experiment.empty()) filter.experiment = experiment;
  const RankRequest ranks{
      .scores = [&](int, const ResultSubject& subject) { return read_scores(session, subject.cell_key); }};
  const Results results = load_results(session.results(), filter);
  Leaderboard leaderboard = make_leaderboard(results, &ranks);
  add_published(leaderboard, read_published(share() / "reports/published"));
  if (selective)
    add_selective(leaderboard, results, [&](const ResultSubject& one) { return evidence_of(session, one); });
  return leaderboard;
}
}  // namespace

int report_verb(const ReportArguments& arguments) {
  const fs::path database = database_of(arguments.database);
  if (arguments.selective && arguments.json.empty())
    throw Error(ErrorKind::config, "--selective adds numbers to the JSON alone; add --json");
  const Leaderboard leaderboard = load(database, arguments.experiment, arguments.selective);
  if (leaderboard.boards.empty())
    throw Error(ErrorKind::nothing, fmt::format("{}: has no finished results yet; `nearfar status` shows the cells",
                                                shown_database(database)));
  using Form = std::function<std::string()>;
  const std::pair<const std::string&, Form> forms[] = {
      {arguments.csv, [&] { return leaderboard_csv(leaderboard); }},
      {arguments.markdown, [&] { return leaderboard_markdown(leaderboard); }},
      {arguments.latex, [&] { return leaderboard_latex(leaderboard); }},
      {arguments.json, [&] { return leaderboard_json(leaderboard); }},
      {arguments.html, [&] { return leaderboard_html(leaderboard, templates()); }}};
  bool written = false;
  for (const auto& [target, form] : forms) {
    if (target.empty()) continue;
    put(target, form());
    written = true;
  }
  if (!written) fmt::print("{}", leaderboard_text(leaderboard, terminal_width()));
  return 0;
}

void write_leaderboards(const fs::path& database, const fs::path& out) {
  const Leaderboard leaderboard = load(database, "");
  const std::pair<const char*, std::string> files[] = {
      {"leaderboard.csv", leaderboard_csv(leaderboard)},
      {"leaderboard.md", leaderboard_markdown(leaderboard)},
      {"leaderboard.html", leaderboard_html(leaderboard, templates())}};
  for (const auto& [name, content] : files) {
    try {
      write_file_atomic(out / name, content);
    } catch (const Error& error) {  // as a full disk ends everything else that a run writes
      throw Error(ErrorKind::store, fmt::format("{}; all results are in the database, and `nearfar report` makes the "
                                                "leaderboard from it",
                                                error.what()));
    }
  }
}

std::string leaderboard_table(const fs::path& database) {
  return leaderboard_text(load(database, ""), terminal_width());
}

}  // namespace nearfar
