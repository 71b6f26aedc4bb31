/// `report reproduction`: published numbers and ours.
#include "base/error.h"
#include "base/locations.h"
#include "cli/options_parts.h"
#include "cli/report_target.h"
#include "report/reproduction.h"
#include "report/results.h"
#include "store/session.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

struct Arguments {
  DatabaseArguments database;
  std::string experiment, benchmark, protocol;  ///< "" = all
  std::string published, layout = "rows";
  fs::path against;
  double k = 2, points = 0.5;
  std::string html, markdown, csv, json, latex;  ///< targets, as ReportArguments
};

fs::path published_folder() { return share() / "reports/published"; }

/// A name of a table that is here, or a file of one's own.
Published reference(const Arguments& arguments) {
  if (!arguments.against.empty()) return read_results_csv(arguments.against, published_folder());
  if (arguments.published.ends_with(".csv")) return read_published_file(arguments.published, published_folder());
  return read_published(published_folder(), arguments.published);
}

void filter_rows(Published& published, const Arguments& arguments) {
  std::erase_if(published.rows, [&](const PublishedRow& row) {
    return (!arguments.benchmark.empty() && row.benchmark != arguments.benchmark) ||
           (!arguments.protocol.empty() && row.protocol != arguments.protocol);
  });
}

Leaderboard our_results(const Arguments& arguments) {
  const Session session = Session::open_read_only(database_of(arguments.database));
  ReportFilter filter;
  if (!arguments.experiment.empty()) filter.experiment = arguments.experiment;
  if (!arguments.benchmark.empty()) filter.benchmark = arguments.benchmark;
  if (!arguments.protocol.empty()) filter.protocol = arguments.protocol;
  return make_leaderboard(load_results(session.results(), filter));
}

int reproduction_verb(const Arguments& arguments) {
  const bool as_paper = arguments.layout == "paper";
  if (as_paper && (!arguments.csv.empty() || !arguments.json.empty()))
    throw Error(ErrorKind::config,
                "--layout paper is a layout for people: --html, --markdown or --latex; the numbers "
                "are in --csv and --json without it");
  Published published = reference(arguments);
  filter_rows(published, arguments);
  const Leaderboard leaderboard = our_results(arguments);
  const ReproductionRequest request{.k = arguments.k, .points = arguments.points / 100};
  const Reproduction reproduction = reproduce(leaderboard, published, request);
  const TablesReport report =
      as_paper ? paper_report(leaderboard, published, request) : reproduction_report(reproduction);
  const std::pair<const std::string&, std::string (*)(const TablesReport&)> tables[] = {
      {arguments.markdown, tables_markdown}, {arguments.latex, tables_latex}};
  bool written = false;
  const auto write = [&](const std::string& target, const auto& form) {
    if (target.empty()) return;
    put_form(target, form());
    written = true;
  };
  for (const auto& [target, form] : tables) write(target, [&, make = form] { return make(report); });
  write(arguments.html, [&] { return tables_html(report, share() / "reports"); });
  write(arguments.csv, [&] { return reproduction_csv(reproduction); });
  write(arguments.json, [&] { return reproduction_json(reproduction); });
  constexpr std::size_t kMostLines = 40;  // of a table on a terminal
  if (!written) fmt::print("{}", tables_text(as_paper ? report : reproduction_report(reproduction, kMostLines)));
  return 0;
}

}  // namespace

Action declare_report_reproduction(CLI::App& verb) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  CLI::Option* published = verb.add_option("--published", a.published,
                                           "a published table by its name, or a CSV file like one (default: all)");
  verb.add_option("--against", a.against, "a CSV file of `report leaderboard --csv`, or like a published one, instead")
      ->excludes(published)
      ->check(CLI::ExistingFile);
  verb.add_option("--k", a.k, "published standard deviations that are no difference")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  verb.add_option("--points", a.points, "points of a percent that are none, where no deviation was published")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  verb.add_option("--layout", a.layout, "rows: a line a number; paper: data sets by metrics, as ReweightOOD's tables")
      ->check(CLI::IsMember({"rows", "paper"}))
      ->capture_default_str();
  verb.add_option("--experiment", a.experiment, "only results of this experiment");
  verb.add_option("--benchmark", a.benchmark, "only on this one");
  verb.add_option("--protocol", a.protocol, "only this one");
  verb.add_option("--html", a.html, "file, or - for stdout");
  verb.add_option("--markdown", a.markdown, "file, or - for stdout");
  verb.add_option("--latex", a.latex, "file, or - for stdout: tables for a paper (booktabs)");
  verb.add_option("--csv", a.csv, "file, or - for stdout");
  const JsonForm json(verb);
  add_database(verb, a.database);
  return [arguments, json] {
    arguments->json = json.target();
    return reproduction_verb(*arguments);
  };
}

}  // namespace nearfar
