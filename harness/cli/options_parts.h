#pragma once
/// Private to the command line: what the tables of verbs are made of, and options that several verbs have.
/// One file for each group of verbs declares them: options_run.cpp, options_results.cpp, options_report.cpp,
/// options_tools.cpp.
#include "cli/verbs.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace nearfar {

/// What a verb does, once the command line has been read.
using Action = std::function<int()>;

/// One row of a table of verbs. `declare` gives the verb its options and returns what to do with them. The values
/// are shared between the options, which are filled in by the parser, and the action, which std::function may copy.
struct Verb {
  const char* name;
  const char* help;
  Action (*declare)(CLI::App& verb);
};

/// Verbs beneath `app`, of which the command line names one.
Action declare_verbs(CLI::App& app, std::span<const Verb> verbs);

std::span<const Verb> run_verbs();     ///< what plans and does cells
std::span<const Verb> result_verbs();  ///< what reads or tidies databases
std::span<const Verb> tool_verbs();    ///< what needs no database

Action declare_report(CLI::App& verb);           ///< options_report.cpp: the verb with its kinds
Action declare_report_cell(CLI::App& verb);      ///< report_cell.cpp
Action declare_report_ablation(CLI::App& verb);  ///< report_ablation.cpp
Action declare_report_export(CLI::App& verb);    ///< report_export.cpp
Action declare_serve(CLI::App& verb);            ///< serve.cpp
Action declare_report_reproduction(CLI::App& verb);
Action declare_report_benchmark(CLI::App& verb);

Action declare_bundle(CLI::App& verb);  ///< options_bundle.cpp
Action declare_verify(CLI::App& verb);

Action declare_completion(CLI::App& verb);  ///< completion.cpp
Action declare_man(CLI::App& verb);

Action declare_plugin(CLI::App& verb);          ///< options_plugin.cpp: the verb with its verbs
Action declare_plugin_path(CLI::App& verb);     ///< plugin_path.cpp
Action declare_plugin_inspect(CLI::App& verb);  ///< plugin_inspect.cpp
Action declare_plugin_list(CLI::App& verb);     ///< plugin_list.cpp
Action declare_plugin_check(CLI::App& verb);    ///< plugin_check.cpp
Action declare_plugin_bench(CLI::App& verb);    ///< plugin_bench.cpp
Action declare_plugin_new(CLI::App& verb);      ///< plugin_new.cpp

/// Of words of a command line: key=value, ~key or +key=value.
bool is_override(std::string_view word);

inline constexpr const char* kDatabaseHelp = "database file, or postgresql://USER@HOST/NAME";
void add_json(CLI::App& verb, bool& json);
void add_database(CLI::App& verb, DatabaseArguments& arguments);
void add_plugin_dirs(CLI::App& verb, Paths& directories);
void add_cell(CLI::App& verb, std::string& cell);
void add_expression(CLI::App& verb, std::string& expression);

/// A target that a bare --json sets to stdout: call target() once the command line has been read.
class JsonForm {
 public:
  explicit JsonForm(CLI::App& verb)
      : option_(verb.add_option("--json", *text_, "file, or - for stdout (the default of a bare --json)")
                    ->expected(0, 1)
                    ->default_str("-")) {}

  std::string target() const { return option_->count() > 0 && text_->empty() ? "-" : *text_; }

 private:
  std::shared_ptr<std::string> text_ = std::make_shared<std::string>();
  const CLI::Option* option_;
};

}  // namespace nearfar
