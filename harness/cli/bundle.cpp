#include "base/error.h"
#include "base/text.h"
#include "bundle/make.h"
#include "cli/bundle_verbs.h"
#include "store/address.h"
#include "store/selection.h"
#include "store/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <optional>
#include <utility>

namespace nearfar {
namespace {

std::vector<std::string> chosen(const std::filesystem::path& database, const BundleArguments& arguments) {
  const Selection wanted(arguments.expression);
  const Session session = Session::open_read_only(database);
  std::vector<std::string> keys;
  const auto experiment = arguments.experiment.empty() ? std::nullopt : std::optional(arguments.experiment);
  for (CellStatus& cell : session.results().cells(experiment, {CellState::ok})) {
    if (cell.kind == CellKind::eval && wanted.matches(cell.label, cell.kind, cell.key))
      keys.push_back(std::move(cell.key));
  }
  if (keys.empty())
    throw Error(ErrorKind::nothing,
                fmt::format("{}: no finished evaluation is selected; `nearfar status` lists the cells",
                            shown_database(database)));
  return keys;
}

}  // namespace

int bundle_verb(const BundleArguments& arguments) {
  const std::filesystem::path database = database_of(arguments.database);
  refuse_server(database, "nearfar bundle", "run it with a database file that has the results");
  const MadeBundle made = make_bundle({.database = database,
                                       .target = arguments.output,
                                       .evaluations = chosen(database, arguments),
                                       .experiment = arguments.experiment,
                                       .title = arguments.title,
                                       .author = arguments.author,
                                       .url = arguments.url,
                                       .checkpoints = arguments.checkpoints});
  const BundleManifest& manifest = made.manifest;
  if (arguments.database.json) {
    const nlohmann::json document{
        {"bundle", arguments.output.string()}, {"bytes", made.bytes},     {"evaluations", manifest.evaluations},
        {"models", manifest.models},           {"cells", manifest.cells}, {"score_files", manifest.score_files}};
    fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{}: {} evaluations of {} models with {} score files, {}; `nearfar verify {}` checks it\n",
               arguments.output.string(), manifest.evaluations, manifest.models, manifest.score_files,
               bytes_text(static_cast<std::int64_t>(made.bytes)), arguments.output.string());
  }
  return 0;
}

}  // namespace nearfar
