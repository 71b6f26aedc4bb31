#include "cli/options.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/verbs.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <functional>

namespace nearfar {
namespace {

void add_database(CLI::App& verb, DatabaseArguments& arguments) {
  verb.add_option("--db", arguments.database, "database file");
  verb.add_option("--out", arguments.out, "output folder of an experiment (its results.sqlite)");
}

void add_plugin_dirs(CLI::App& verb, Paths& directories) {
  verb.add_option("--plugin-dir", directories, "folder with plugins; may be repeated")->allow_extra_args(false);
}

/// `run` and `plan`: files end in .toml, everything else is an override.
struct RunOptionsText {
  RunArguments arguments;
  std::vector<std::string> words;
  std::string device;
  std::int64_t limit = -1, jobs = -1;

  void split() {
    for (const std::string& word : words) {
      const bool override_ = word.find('=') != std::string::npos || word.starts_with('~') || word.starts_with('+');
      if (override_)
        arguments.overrides.push_back(word);
      else
        arguments.files.emplace_back(word);
    }
    if (!device.empty()) arguments.overrides.push_back("device=" + device);
    if (limit >= 0) arguments.overrides.push_back(fmt::format("data.limit={}", limit));
    if (jobs >= 0) arguments.overrides.push_back(fmt::format("run.jobs={}", jobs));
  }
};

CLI::App* add_run(CLI::App& app, const char* name, const char* help, RunOptionsText& text) {
  CLI::App* verb = app.add_subcommand(name, help);
  verb->add_option("config", text.words, "experiment files and overrides: CONFIG.toml… key=value…")->required();
  verb->add_option("--out", text.arguments.out, "output folder (default out/NAME)");
  verb->add_option("--db", text.arguments.database, "database file (default OUT/results.sqlite)");
  verb->add_option("--device", text.device, "cpu or cuda");
  verb->add_option("--limit", text.limit, "at most so many images a set: the results are partial and never rank");
  verb->add_option("--jobs", text.jobs, "child processes at a time (default: one a core)");
  verb->add_flag("--json", text.arguments.json, "one JSON document on stdout");
  add_plugin_dirs(*verb, text.arguments.plugin_dirs);
  return verb;
}

/// `data check|pack|synth`: words with '=' are overrides, the others names of sets.
struct DataOptionsText {
  DataArguments arguments;
  std::vector<std::string> words;

  void split() {
    for (const std::string& word : words)
      (word.find('=') != std::string::npos ? arguments.overrides : arguments.sets).push_back(word);
  }
};

CLI::App* add_data(CLI::App& data, const char* name, const char* help, DataOptionsText& text) {
  CLI::App* verb = data.add_subcommand(name, help);
  verb->add_option("benchmark", text.arguments.benchmark, "name or file of a benchmark")->required();
  verb->add_flag("--json", text.arguments.json, "one JSON document on stdout");
  return verb;
}

void add_data_words(CLI::App& verb, DataOptionsText& text) {
  verb.add_option("words", text.words,
                  "sets (default: all) and overrides: [SET…] [data.root=DIR data.allow_count_mismatch=true …]");
  verb.add_option("--threads", text.arguments.threads, "that decode (default: one a core)")->check(CLI::Range(1, 256));
}
}  // namespace

int dispatch(int argc, char** argv) {
  CLI::App app{"nearfar: benchmarks of out-of-distribution detection", "nearfar"};
  app.set_version_flag("--version", NEARFAR_VERSION);
  app.require_subcommand(1);
  app.fallthrough(false);
  std::string level = "info";
  app.add_option("--log", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  std::function<int()> chosen;
  const auto when = [&](CLI::App* verb, std::function<int()> action) {
    verb->callback([&chosen, action] { chosen = action; });
  };

  RunOptionsText run, plan;
  CLI::App* run_app = add_run(app, "run", "plan, then run every cell that has no valid result", run);
  run_app->add_flag("--fail-fast", run.arguments.fail_fast, "stop after the first failed cell");
  run_app->add_flag("--keep-going{false}", run.arguments.fail_fast, "go on after a failed cell (the default)");
  run_app->add_flag("--dry-run", run.arguments.dry_run, "only show the plan");
  run_app->add_flag("--quiet", run.arguments.quiet, "no progress");
  when(run_app, [&] { return run.split(), run_verb(run.arguments); });
  when(add_run(app, "plan", "the cells, and why each would run; writes nothing", plan),
       [&] { return plan.split(), plan_verb(plan.arguments); });

  DatabaseArguments status_db, show_db;
  std::string experiment, cell;
  bool watch = false;
  CLI::App* status = app.add_subcommand("status", "state of every cell");
  status->add_option("experiment", experiment, "only this experiment");
  status->add_flag("--watch", watch, "print again every second until everything has ended");
  status->add_flag("--json", status_db.json, "one JSON document on stdout");
  add_database(*status, status_db);
  when(status, [&] { return status_verb(status_db, experiment, watch); });

  CLI::App* show = app.add_subcommand("show", "everything about one cell");
  show->add_option("cell", cell, "its key, the beginning of it, or its label")->required();
  show->add_flag("--json", show_db.json, "one JSON document on stdout");
  add_database(*show, show_db);
  when(show, [&] { return show_verb(show_db, cell); });

  ReportArguments report;
  CLI::App* report_app = app.add_subcommand("report", "leaderboard of a database");
  report_app->add_option("kind", report.kind, "leaderboard")->check(CLI::IsMember({"leaderboard"}));
  report_app->add_option("--experiment", report.experiment, "only this experiment");
  report_app->add_option("--html", report.html, "file, or - for stdout");
  report_app->add_option("--markdown", report.markdown, "file, or - for stdout");
  report_app->add_option("--csv", report.csv, "file, or - for stdout");
  report_app->add_option("--json", report.json, "file, or - for stdout (the default of a bare --json)")
      ->expected(0, 1)
      ->default_str("-");
  add_database(*report_app, report.database);
  when(report_app, [&] {
    if (report_app->count("--json") > 0 && report.json.empty()) report.json = "-";
    return report_verb(report);
  });

  ListArguments list;
  CLI::App* list_app =
      app.add_subcommand("list", "losses, postprocessors, benchmarks, models, datasets, runs or cells");
  list_app->add_option("what", list.what)
      ->required()
      ->check(CLI::IsMember({"losses", "postprocessors", "benchmarks", "models", "datasets", "runs", "cells"}));
  list_app->add_flag("--json", list.database.json, "one JSON document on stdout");
  add_database(*list_app, list.database);
  add_plugin_dirs(*list_app, list.plugin_dirs);
  when(list_app, [&] { return list_verb(list); });

  std::filesystem::path id, ood;
  bool metrics_json = false;
  CLI::App* metrics = app.add_subcommand("metrics", "AUROC, FPR@95, AUPR of two score files (higher = more OOD)");
  metrics->add_option("--id", id, "scores of in-distribution images, .npy")->required();
  metrics->add_option("--ood", ood, "scores of out-of-distribution images, .npy")->required();
  metrics->add_flag("--json", metrics_json, "one JSON document on stdout");
  when(metrics, [&] { return metrics_verb(id, ood, metrics_json); });

  ScoreArguments score;
  CLI::App* score_app = app.add_subcommand("score", "score one image set of a feature folder with a postprocessor");
  score_app->add_option("name", score.name, "postprocessor")->required();
  score_app->add_option("--features", score.features, "feature folder: head/, train/, val/, test/, near/NAME/, …")
      ->required();
  score_app->add_option("--set", score.set, "image set, e.g. test or far/mnist (default test)");
  score_app->add_option("-p,--param", score.assignments, "key=value; may be repeated")->allow_extra_args(false);
  score_app->add_option("-o,--output", score.output, "score file, .npy")->required();
  score_app->add_option("--device", score.device, "cpu or cuda");
  score_app->add_option("--threads", score.threads, "default: one a core");
  score_app->add_flag("--json", score.json, "one JSON document on stdout");
  add_plugin_dirs(*score_app, score.plugin_dirs);
  when(score_app, [&] { return score_verb(score); });

  ImportArguments import;
  CLI::App* import_app =
      app.add_subcommand("import", "weights of OpenOOD, torchvision or safetensors files as a nearfar checkpoint");
  import_app->add_option("file", import.file, "weights: .ckpt, .pth, .safetensors")->required();
  import_app->add_option("-o,--output", import.output,
                         "checkpoint to write (default: FILE's name with .safetensors, here)");
  import_app->add_option("--architecture", import.architecture, "default: the one that the names and shapes fit");
  import_app->add_option("--size", import.size, "height and width of its images (default: the architecture's)")
      ->check(CLI::Range(1, 8192));
  import_app->add_flag("--json", import.json, "one JSON document on stdout");
  when(import_app, [&] { return import_verb(import); });

  DatabaseArguments export_db;
  std::string export_cell;
  std::filesystem::path export_scores;
  CLI::App* export_app = app.add_subcommand("export", "score vectors of a finished cell as .npy, in list order");
  export_app->add_option("cell", export_cell, "its key, the beginning of it, or its label")->required();
  export_app->add_option("--scores", export_scores, "folder for SET.npy")->required();
  add_database(*export_app, export_db);
  when(export_app, [&] { return export_verb(export_db, export_cell, export_scores); });

  CLI::App* data = app.add_subcommand("data", "check, pack or make the images of a benchmark");
  data->require_subcommand(1);
  DataOptionsText check, pack, synth;
  CLI::App* check_app =
      add_data(*data, "check", "is every image there, readable and where it belongs? exit 6 if not", check);
  add_data_words(*check_app, check);
  when(check_app, [&] { return check.split(), data_check_verb(check.arguments); });
  CLI::App* pack_app =
      add_data(*data, "pack", "decode image files once into packed copies, which are then used by themselves", pack);
  add_data_words(*pack_app, pack);
  pack_app->add_option("--out", pack.arguments.out,
                       "folder (default: data.packed, NEARFAR_PACKED, or 'packed' beneath the data root)");
  when(pack_app, [&] { return pack.split(), data_pack_verb(pack.arguments); });
  CLI::App* synth_app =
      add_data(*data, "synth", "a tiny look-alike of a benchmark's image files, for tests and demos", synth);
  synth_app->add_option("--out", synth.arguments.out, "a new folder, then used as data.root")->required();
  synth_app
      ->add_option("--per-set", synth.arguments.per_set,
                   "images a set, at least one a class; train has four times as many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  synth_app->add_option("--seed", synth.arguments.seed, "another seed, other images")->capture_default_str();
  when(synth_app, [&] { return data_synth_verb(synth.arguments); });

  DatabaseArguments doctor_db;
  Paths doctor_plugins;
  CLI::App* doctor =
      app.add_subcommand("doctor", "versions, devices, plugins, data, database: what works here and what does not");
  doctor->add_flag("--json", doctor_db.json, "one JSON document on stdout");
  add_database(*doctor, doctor_db);
  add_plugin_dirs(*doctor, doctor_plugins);
  when(doctor, [&] { return doctor_verb(doctor_plugins, doctor_db); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::config, fmt::format("{}; see nearfar --help and nearfar VERB --help", error.what()));
  }
  init_logging(level == "debug"   ? LogLevel::debug
               : level == "warn"  ? LogLevel::warn
               : level == "error" ? LogLevel::error
                                  : LogLevel::info);
  return chosen();
}

}  // namespace nearfar
