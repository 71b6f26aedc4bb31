/// `report export`: results for other people's programs.
#include "base/error.h"
#include "base/text.h"
#include "cli/options_parts.h"
#include "cli/verbs.h"
#include "dashboards/folder.h"
#include "dashboards/hugging_face.h"
#include "dashboards/mlflow.h"
#include "dashboards/ro_crate.h"
#include "dashboards/tensorboard.h"
#include "dashboards/trackio.h"
#include "store/address.h"
#include "store/selection.h"
#include "store/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

struct ExportArguments {
  DatabaseArguments database;
  std::string format;
  fs::path folder;
  std::string experiment, expression;  // "" = all
  std::string hub;                     // hf: the owner of the benchmarks' data sets there; "" = none
};

const std::vector<std::string> kFormats = {"tensorboard", "trackio", "mlflow", "hf", "ro-crate"};

void check_format(const std::string& format) {
  if (std::ranges::find(kFormats, format) != kFormats.end()) return;
  if (format == "parquet") {
    throw Error(ErrorKind::config,
                "--to parquet: nearfar writes none; the database's view v_leaderboard has one row a number, and DuckDB "
                "or pandas make Parquet of it in two lines: docs/dashboards.md");
  }
  throw Error(ErrorKind::config, fmt::format("--to {}: is no format that nearfar exports{}; there are {}", format,
                                             suggestion(format, kFormats), join(kFormats, ", ")));
}

/// What a person should know besides; printed where progress goes.
struct Notes {
  std::int64_t missing_scores = 0;
  bool without_eval_results = false, without_database = false;

  void print(std::size_t partial_count) const {
    if (partial_count > 0)
      fmt::print(stderr, "note: {} of these cells are partial, and tagged as such\n", partial_count);
    if (missing_scores > 0)
      fmt::print(stderr, "note: {} score files are on other machines; they are left out\n", missing_scores);
    if (without_database)
      fmt::print(stderr, "note: the database is on a server; the crate has its numbers, and no copy of it\n");
    if (without_eval_results) {
      fmt::print(
          stderr,
          "note: no .eval_results are written: they name data sets on the Hub; say whose with --hub ORGANISATION\n");
    }
  }
};

Notes write(const ExportArguments& arguments, const fs::path& database, const ExportSource& source,
            const fs::path& folder) {
  Notes notes;
  if (arguments.format == "tensorboard") {
    export_tensorboard(source, folder);
  } else if (arguments.format == "trackio") {
    export_trackio(source, folder);
  } else if (arguments.format == "mlflow") {
    export_mlflow(source, folder, arguments.folder);
  } else if (arguments.format == "hf") {
    export_hugging_face(source, arguments.hub, folder);
    notes.without_eval_results = arguments.hub.empty();
  } else {
    notes.without_database = is_server(database.string());
    notes.missing_scores = export_ro_crate(source, notes.without_database ? fs::path() : database, folder);
  }
  return notes;
}

int report_export_verb(const ExportArguments& arguments) {
  check_format(arguments.format);
  if (!arguments.hub.empty() && arguments.format != "hf")
    throw Error(ErrorKind::config, fmt::format("--hub: is of --to hf, not of --to {}", arguments.format));
  const Selection selection(arguments.expression);
  const fs::path database = database_of(arguments.database);
  const Session session = Session::open_read_only(database);
  ExportFilter filter;
  if (!arguments.experiment.empty()) filter.experiment = arguments.experiment;
  filter.wanted = [&](const CellStatus& cell) { return selection.matches(cell.label, cell.kind, cell.key); };
  const ExportSource source(session.results(), filter);
  if (source.size() == 0) {
    throw Error(ErrorKind::nothing,
                fmt::format("{}: no cell that has been begun matches; `nearfar status` lists them", session.name()));
  }
  Notes notes;
  replace_export(arguments.folder, arguments.format,
                 [&](const fs::path& folder) { notes = write(arguments, database, source, folder); });
  notes.print(source.partial_count());
  fmt::print("{}: {}, {} cells\n", arguments.folder.string(), arguments.format, source.size());
  return 0;
}

}  // namespace

Action declare_report_export(CLI::App& verb) {
  const auto arguments = std::make_shared<ExportArguments>();
  verb.add_option("--to", arguments->format, join(kFormats, ", "))->required();
  verb.add_option("folder", arguments->folder, "new, empty, or an earlier export, which is replaced")->required();
  verb.add_option("--experiment", arguments->experiment, "only this experiment");
  add_expression(verb, arguments->expression);
  verb.add_option("--hub", arguments->hub, "hf: whose data sets on the Hub the benchmarks are, for .eval_results");
  add_database(verb, arguments->database);
  return [arguments] { return report_export_verb(*arguments); };
}

}  // namespace nearfar
