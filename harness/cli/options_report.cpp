/// Options of `report` and its kinds. Without a kind it is the leaderboard.
#include "cli/bundle_verbs.h"
#include "cli/options_parts.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

Action declare_leaderboard(CLI::App& verb) {
  const auto report = std::make_shared<ReportArguments>();
  verb.add_option("--experiment", report->experiment, "only this experiment");
  const auto from = std::make_shared<std::vector<std::string>>();
  verb.add_option("--from", *from, "bundles, output folders or databases, each verified first");
  verb.add_option("--html", report->html, "file, or - for stdout");
  verb.add_option("--markdown", report->markdown, "file, or - for stdout");
  verb.add_option("--latex", report->latex, "file, or - for stdout: tables for a paper (booktabs, siunitx)");
  verb.add_option("--csv", report->csv, "file, or - for stdout");
  verb.add_flag("--selective", report->selective,
                "with --json: AURC and AUGRC of every row too; reads and checks all score files, which takes a while");
  verb.add_option("--svg", report->svg, "folder: every figure of every board as BOARD-FIGURE.svg and .csv");
  verb.add_flag("--log-fpr", report->log_fpr, "ROC curves over the logarithm of the false positive rate");
  const JsonForm json(verb);
  add_database(verb, report->database);
  return [report, from, json] {
    report->json = json.target();
    return from->empty() ? report_verb(*report) : report_sources_verb(*from, *report);
  };
}

/// One row a kind; each has its own file.
constexpr Verb kKinds[] = {
    {"leaderboard", "methods by rank: the default", declare_leaderboard},
    {"cell", "one cell: numbers, figures, most confused images, how it was made", declare_report_cell},
    {"ablation", "what each setting of a sweep is worth, one change at a time", declare_report_ablation},
    {"export", "for TensorBoard, trackio, MLflow, Hugging Face, as an RO-Crate", declare_report_export},
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
