#include "cli/options.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/options_parts.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace nearfar {

Action declare_verbs(CLI::App& app, std::span<const Verb> verbs) {
  app.require_subcommand(1);
  std::vector<std::pair<const CLI::App*, Action>> declared;
  for (const Verb& verb : verbs) {
    CLI::App* added = app.add_subcommand(verb.name, verb.help);
    declared.emplace_back(added, verb.declare(*added));
  }
  return [declared] {
    for (const auto& [verb, action] : declared) {
      if (verb->parsed()) return action();
    }
    throw Error(ErrorKind::internal, "no verb was parsed");  // the parser has refused that
  };
}

bool is_override(std::string_view word) {
  return word.find('=') != std::string_view::npos || word.starts_with('~') || word.starts_with('+');
}

void add_json(CLI::App& verb, bool& json) { verb.add_flag("--json", json, "one JSON document on stdout"); }

void add_database(CLI::App& verb, DatabaseArguments& arguments) {
  verb.add_option("--db", arguments.database, kDatabaseHelp)->envname("NEARFAR_DB");
  verb.add_option("--out", arguments.out, "output folder of an experiment (its results.sqlite)");
}

void add_plugin_dirs(CLI::App& verb, Paths& directories) {
  verb.add_option("--plugin-dir", directories, "folder with plugins; may be repeated")->allow_extra_args(false);
}

void add_cell(CLI::App& verb, std::string& cell) {
  verb.add_option("cell", cell, "its key, the beginning of it, or its label")->required();
}

void add_expression(CLI::App& verb, std::string& expression) {
  verb.add_option("-k", expression,
                  "only cells that fit: words of labels, beginnings of keys, and, or, not, brackets: 'knn and not s0'");
}

namespace {

LogLevel level_named(const std::string& name) {
  if (name == "debug") return LogLevel::debug;
  if (name == "warn") return LogLevel::warn;
  return name == "error" ? LogLevel::error : LogLevel::info;
}

}  // namespace

int dispatch(int argc, char** argv) {
  CLI::App app{"nearfar: benchmarks of out-of-distribution detection", "nearfar"};
  app.set_version_flag("--version", NEARFAR_VERSION);
  app.fallthrough(false);
  std::string level = "info";
  app.add_option("--log", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  std::vector<Verb> verbs;
  for (const std::span<const Verb> group : {run_verbs(), result_verbs(), tool_verbs()})
    verbs.insert(verbs.end(), group.begin(), group.end());
  const Action chosen = declare_verbs(app, verbs);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::config, fmt::format("{}; see nearfar --help and nearfar VERB --help", error.what()));
  }
  init_logging(level_named(level));
  return chosen();
}

}  // namespace nearfar
