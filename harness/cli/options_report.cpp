/// Options of `report` and its kinds. Without a kind it is the leaderboard.
#include "cli/options_parts.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

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

Action declare_leaderboard(CLI::App& verb) {
  const auto report = std::make_shared<ReportArguments>();
  verb.add_option("--experiment", report->experiment, "only this experiment");
  verb.add_option("--html", report->html, "file, or - for stdout");
  verb.add_option("--markdown", report->markdown, "file, or - for stdout");
  verb.add_option("--latex", report->latex, "file, or - for stdout: tables for a paper (booktabs, siunitx)");
  verb.add_option("--csv", report->csv, "file, or - for stdout");
  verb.add_flag("--selective", report->selective,
                "with --json: AURC and AUGRC of every row too; reads and checks all score files, which takes a while");
  const JsonForm json(verb);
  add_database(verb, report->database);
  return [report, json] {
    report->json = json.target();
    return report_verb(*report);
  };
}

/// One row a kind; each has its own file.
constexpr Verb kKinds[] = {
    {"leaderboard", "methods by rank: the default", declare_leaderboard},
    {"reproduction", "published numbers and ours: which of them come out here", declare_report_reproduction},
    {"benchmark", "what a benchmark is, and what is known on it", declare_report_benchmark},
};

}  // namespace

Action declare_report(CLI::App& verb) {
  const Action leaderboard = declare_leaderboard(verb);
  std::vector<std::pair<const CLI::App*, Action>> kinds;
  for (const Verb& kind : kKinds) {
    CLI::App* added = verb.add_subcommand(kind.name, kind.help);
    kinds.emplace_back(added, kind.declare(*added));
  }
  verb.require_subcommand(0, 1);
  return [leaderboard, kinds] {
    for (const auto& [kind, action] : kinds) {
      if (kind->parsed()) return action();
    }
    return leaderboard();
  };
}

}  // namespace nearfar
