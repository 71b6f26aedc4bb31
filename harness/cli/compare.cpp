#include "report/compare.h"

#include "base/error.h"
#include "base/files.h"
#include "cli/scores.h"
#include "cli/sources.h"
#include "cli/verbs.h"
#include "report/plugin_bench.h"
#include "store/address.h"
#include "store/session.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// A file or bundle that is there, or what is written like a database's address. A row is neither.
bool is_database(const std::string& text) {
  std::error_code none;
  return text.ends_with(".sqlite") || is_server(text) || fs::is_regular_file(text, none) ||
         fs::exists(fs::path(text) / kResultsFile, none);
}

/// The text of a document of `nearfar plugin bench`; nullopt for every other word and file.
std::optional<std::string> bench_document(const std::string& word) {
  constexpr std::uintmax_t kMost = 64 << 20;  // bytes: databases are not read
  std::error_code none;
  if (!fs::is_regular_file(word, none) || fs::file_size(word, none) > kMost) return std::nullopt;
  std::string text = read_file(word);
  return is_plugin_bench(text) ? std::optional(std::move(text)) : std::nullopt;
}

int compare_bench_documents(const CompareArguments& arguments, const std::optional<std::string>& a,
                            const std::optional<std::string>& b) {
  if (!a || !b) {
    throw Error(ErrorKind::config,
                fmt::format("'{}' is a document of `nearfar plugin bench` and '{}' is not; compare two of them",
                            a ? arguments.a : arguments.b, a ? arguments.b : arguments.a));
  }
  const BenchComparison comparison =
      compare_benches(plugin_bench_from_json(*a, arguments.a), plugin_bench_from_json(*b, arguments.b),
                      {.alpha = arguments.alpha, .threshold = arguments.threshold, .force = arguments.force});
  fmt::print("{}{}", arguments.database.json ? bench_comparison_json(comparison) : bench_comparison_text(comparison),
             arguments.database.json ? "\n" : "");
  return comparison.regression() ? 1 : 0;
}

ReportFilter filter_of(const CompareArguments& arguments) {
  const auto given = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  return {.experiment = given(arguments.experiment),
          .benchmark = given(arguments.benchmark),
          .protocol = given(arguments.protocol)};
}

}  // namespace

int compare_verb(const CompareArguments& arguments) {
  const std::optional<std::string> bench_a = bench_document(arguments.a), bench_b = bench_document(arguments.b);
  if (bench_a || bench_b) return compare_bench_documents(arguments, bench_a, bench_b);
  CompareRequest request{.filter = filter_of(arguments), .alpha = arguments.alpha, .resamples = arguments.resamples};
  Comparison comparison;
  if (is_database(arguments.a) != is_database(arguments.b)) {
    throw Error(ErrorKind::config, fmt::format("'{}' is a database and '{}' is not; compare two rows or two databases",
                                               is_database(arguments.a) ? arguments.a : arguments.b,
                                               is_database(arguments.a) ? arguments.b : arguments.a));
  }
  if (is_database(arguments.a)) {
    const OpenedResults opened_a = open_results(arguments.a), opened_b = open_results(arguments.b);
    const Session &a = *opened_a.session, &b = *opened_b.session;
    comparison = compare_databases(
        a.results().frame(request.filter.experiment), b.results().frame(request.filter.experiment), request,
        [&](int side, const ResultSubject& subject) { return read_scores(side == 0 ? a : b, subject.cell_key); });
  } else {
    request.a = RowChoice::from_text(arguments.a);
    request.b = RowChoice::from_text(arguments.b);
    const Session session = Session::open_read_only(database_of(arguments.database));
    comparison =
        compare_rows(session.results().frame(request.filter.experiment), request,
                     [&](int, const ResultSubject& subject) { return read_scores(session, subject.cell_key); });
  }
  fmt::print("{}{}", arguments.database.json ? comparison_json(comparison) : comparison_text(comparison),
             arguments.database.json ? "\n" : "");
  return comparison.regression() ? 1 : 0;
}

}  // namespace nearfar
