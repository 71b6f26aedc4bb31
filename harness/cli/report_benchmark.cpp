/// `report benchmark`: what a benchmark is, and what is known on it.
#include "base/error.h"
#include "base/locations.h"
#include "cli/options_parts.h"
#include "cli/report_target.h"
#include "data/benchmark.h"
#include "report/benchmark_report.h"
#include "report/results.h"
#include "store/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace nearfar {
namespace {

struct Arguments {
  DatabaseArguments database;
  std::string benchmark;             ///< a name or a file
  std::string html, markdown, json;  ///< targets, as ReportArguments
};

BenchmarkFacts facts_of(const Benchmark& benchmark) {
  BenchmarkFacts facts{.name = benchmark.name,
                       .title = benchmark.title,
                       .file = benchmark.file.string(),
                       .identity = benchmark_identity(benchmark).substr(0, 12),
                       .class_count = static_cast<std::int64_t>(benchmark.classes.size()),
                       .channels = benchmark.channels,
                       .height = benchmark.height,
                       .width = benchmark.width};
  for (const SetSpec& set : benchmark.sets) facts.sets.push_back({set.name, set.group, set.count});
  for (const ProtocolSpec& protocol : benchmark.protocols) facts.protocols.push_back({protocol.name, protocol.csid});
  return facts;
}

/// Nothing where there is no database and none was named: a benchmark is something without results, too.
Leaderboard our_results(const Arguments& arguments, BenchmarkFacts& facts) {
  std::filesystem::path database;
  try {
    database = database_of(arguments.database);
  } catch (const Error& error) {
    const bool is_named = !arguments.database.database.empty() || !arguments.database.out.empty();
    if (is_named || error.kind() != ErrorKind::nothing) throw;
    return {};
  }
  const Session session = Session::open_read_only(database);
  const Results results = load_results(session.results(), {.benchmark = facts.name});
  Leaderboard leaderboard = make_leaderboard(results);
  for (const LeaderboardBoard& board : leaderboard.boards) {  // the newest state of the data first
    const auto record = std::ranges::find_if(results.benchmarks, [&](const BenchmarkRecord& r) {
      return r.name == facts.name && r.data_hash == board.data_hash;
    });
    if (record != results.benchmarks.end() &&
        std::ranges::find(facts.measured, board.data_hash, &BenchmarkRecord::data_hash) == facts.measured.end())
      facts.measured.push_back(*record);
  }
  return leaderboard;
}

int benchmark_verb(const Arguments& arguments) {
  BenchmarkFacts facts = facts_of(load_benchmark(arguments.benchmark, benchmark_folders({})));
  const Leaderboard leaderboard = our_results(arguments, facts);
  const Published published = read_published(share() / "reports/published");
  const TablesReport report = benchmark_report(facts, leaderboard, published);
  if (!arguments.html.empty()) put_form(arguments.html, tables_html(report, share() / "reports"));
  if (!arguments.markdown.empty()) put_form(arguments.markdown, tables_markdown(report));
  if (!arguments.json.empty()) put_form(arguments.json, benchmark_json(facts, leaderboard, published));
  if (arguments.html.empty() && arguments.markdown.empty() && arguments.json.empty())
    fmt::print("{}", tables_text(report));
  return 0;
}

}  // namespace

Action declare_report_benchmark(CLI::App& verb) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  verb.add_option("benchmark", a.benchmark, "a name (`list benchmarks`), or a TOML file")->required();
  verb.add_option("--html", a.html, "file, or - for stdout");
  verb.add_option("--markdown", a.markdown, "file, or - for stdout");
  const JsonForm json(verb);
  add_database(verb, a.database);
  return [arguments, json] {
    arguments->json = json.target();
    return benchmark_verb(*arguments);
  };
}

}  // namespace nearfar
