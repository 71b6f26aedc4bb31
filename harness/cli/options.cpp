#include "cli/options.h"

#include "base/error.h"
#include "base/locations.h"
#include "base/log.h"
#include "cli/verbs.h"
#include "launch/worker_command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

/// What a verb does, once the command line has been read.
using Action = std::function<int()>;

/// One row of the tables at the end. `declare` gives the verb its options and returns what to do with them. The values
/// are shared between the options, which are filled in by the parser, and the action, which std::function may copy.
struct Verb {
  const char* name;
  const char* help;
  Action (*declare)(CLI::App& verb);
};

/// Verbs beneath `app`, of which the command line names one.
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

void add_json(CLI::App& verb, bool& json) { verb.add_flag("--json", json, "one JSON document on stdout"); }

constexpr const char* kDatabaseHelp = "database file, or postgresql://USER@HOST/NAME";

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

void add_failure_limits(CLI::App& verb, RunLimits& limits) {
  verb.add_option("--max-failures", limits.max_failures, "start nothing more after so many failed cells")
      ->check(CLI::Range(1, 1'000'000'000));
  verb.add_flag("--fail-fast{1}", limits.max_failures, "stop after the first failed cell");
  verb.add_flag("--keep-going{0}", limits.max_failures, "go on after failed cells (the default)");
}

/// `run` and `plan`: files end in .toml, everything else is an override.
struct RunOptionsText {
  RunArguments arguments;
  std::vector<std::string> words;
  std::string device, memory_limit;
  std::int64_t limit = -1, jobs = -1, nproc = -1, retries = -1;
  double timeout = -1;

  void split() {
    for (const std::string& word : words) {
      const bool override_ = word.find('=') != std::string::npos || word.starts_with('~') || word.starts_with('+');
      if (override_)
        arguments.overrides.push_back(word);
      else
        arguments.files.push_back(experiment_file(word));
    }
    if (!device.empty()) arguments.overrides.push_back("device=" + device);
    if (limit >= 0) arguments.overrides.push_back(fmt::format("data.limit={}", limit));
    if (nproc >= 0) arguments.overrides.push_back(fmt::format("run.nproc={}", nproc));
    if (jobs >= 0) arguments.overrides.push_back(fmt::format("run.jobs={}", jobs));
    if (retries >= 0) arguments.overrides.push_back(fmt::format("run.retries={}", retries));
    if (timeout >= 0) arguments.overrides.push_back(fmt::format("run.timeout_seconds={}", timeout));
    if (!memory_limit.empty()) arguments.overrides.push_back("run.memory_limit=" + memory_limit);
  }
};

std::shared_ptr<RunOptionsText> add_run(CLI::App& verb) {
  auto text = std::make_shared<RunOptionsText>();
  verb.add_option("config", text->words,
                  "experiment files (or the name of a shipped one) and overrides: CONFIG.toml… key=value…")
      ->required();
  verb.add_option("--out", text->arguments.out, "output folder (default out/NAME)");
  verb.add_option("--db", text->arguments.database, std::string(kDatabaseHelp) + " (default OUT/results.sqlite)")
      ->envname("NEARFAR_DB");
  verb.add_option("--device", text->device, "cpu or cuda");
  verb.add_flag("--trust", text->arguments.trust, "let model.torchscript run: it is code");
  verb.add_option("--limit", text->limit, "at most so many images a set: the results are partial and never rank");
  verb.add_option("-j,--jobs", text->jobs,
                  "child processes at a time (default: as many as have a core for every thread)");
  verb.add_option("--timeout", text->timeout, "seconds that a cell may take (run.timeout_seconds; default: no limit)");
  verb.add_option("--memory-limit", text->memory_limit, "of a child process, like 4GiB (run.memory_limit)");
  verb.add_option("--retries", text->retries,
                  "further tries of a cell that crashes, hangs or runs out of memory (run.retries)");
  add_expression(verb, text->arguments.expression);
  verb.add_flag("--last-failed", text->arguments.last_failed, "only cells that have failed");
  verb.add_option("--nproc", text->nproc, "processes that train one model together (default 1)");
  verb.add_option("--max-cells", text->arguments.max_cells, "a sweep with more is refused (default 10000)")
      ->check(CLI::PositiveNumber);
  add_json(verb, text->arguments.json);
  add_plugin_dirs(verb, text->arguments.plugin_dirs);
  return text;
}

Action declare_run(CLI::App& verb) {
  const auto text = add_run(verb);
  add_failure_limits(verb, text->arguments.limits);
  verb.add_flag("--dry-run", text->arguments.dry_run, "only show the plan");
  verb.add_flag("--quiet", text->arguments.quiet, "no progress");
  return [text] { return text->split(), run_verb(text->arguments); };
}

Action declare_plan(CLI::App& verb) {
  const auto text = add_run(verb);
  verb.add_flag("--cells", text->arguments.cells, "list every cell, however many there are");
  verb.add_flag("--put", text->arguments.put, "put the cells into the database, for workers (made if need be)");
  return [text] { return text->split(), plan_verb(text->arguments); };
}

Action declare_retry(CLI::App& verb) {
  const auto retry = std::make_shared<RetryArguments>();
  retry->states = {"failed", "crashed", "timeout", "nan", "oom", "hung", "invalid"};
  verb.add_option("experiment", retry->experiment, "only this experiment");
  verb.add_option("--state", retry->states, "with commas: failed,crashed,timeout,nan,oom,hung,invalid (default: all)")
      ->delimiter(',')
      ->check(CLI::IsMember(retry->states));
  add_expression(verb, retry->expression);
  verb.add_option("-j,--jobs", retry->limits.jobs, "child processes at a time");
  verb.add_option("--retries", retry->limits.retries,
                  "further tries of a cell that crashes, hangs or runs out of memory");
  add_failure_limits(verb, retry->limits);
  verb.add_flag("--trust", retry->trust, "let model.torchscript run: it is code");
  verb.add_flag("--quiet", retry->quiet, "no progress");
  add_json(verb, retry->database.json);
  add_database(verb, retry->database);
  return [retry] { return retry_verb(*retry); };
}

Action declare_logs(CLI::App& verb) {
  struct Arguments {
    DatabaseArguments database;
    std::string cell;
    bool follow = false;
  };
  const auto logs = std::make_shared<Arguments>();
  add_cell(verb, logs->cell);
  verb.add_flag("-f,--follow", logs->follow, "go on printing until the attempt has ended");
  add_database(verb, logs->database);
  return [logs] { return logs_verb(logs->database, logs->cell, logs->follow); };
}

Action declare_worker(CLI::App& verb) {
  struct Text {
    WorkerArguments arguments;
    std::string until = "idle";
  };
  const auto text = std::make_shared<Text>();
  WorkerArguments& arguments = text->arguments;
  add_database(verb, arguments.database);
  verb.add_option("--experiment", arguments.experiment, "its name (default: the only one of the database)");
  verb.add_option(
      "--until", text->until,
      "idle: nothing is ready and nobody runs cells of the experiment (the default); time=1h30m: at most so "
      "long, then it hands back");
  verb.add_flag("--no-wait{false}", arguments.wait, "end when nothing is ready, whatever others still run");
  verb.add_option("--max-cells", arguments.most_cells, "begin at most so many")->check(CLI::PositiveNumber);
  verb.add_option("-j,--jobs", arguments.jobs, "child processes at a time (default: the experiment's)")
      ->check(CLI::Range(1, 4096));
  verb.add_option("--device", arguments.device, "cpu, cuda, cuda:N, cuda:all (default: the experiment's)");
  verb.add_option("--profile", arguments.profile, "TOML file with this machine's paths, where they are others");
  verb.add_flag("--print-profile", arguments.print_profile, "only print the stored paths, as a profile to edit");
  verb.add_flag("--rank-from-env", arguments.rank_from_env,
                "start in turn, by the number that MPI, Slurm or Kubernetes gives");
  verb.add_flag("--trust", arguments.trust, "let model.torchscript run: it is code");
  verb.add_flag("--fail-fast", arguments.fail_fast, "stop after the first failed cell");
  verb.add_flag("--quiet", arguments.quiet, "no progress");
  add_json(verb, arguments.database.json);
  add_plugin_dirs(verb, arguments.plugin_dirs);
  return [text] {
    if (text->until.starts_with("time=")) {
      text->arguments.seconds = duration_seconds(std::string_view(text->until).substr(5));
    } else if (text->until != "idle") {
      throw Error(ErrorKind::config, fmt::format("--until is '{}'; expected idle or time=1h", text->until));
    }
    return worker_verb(text->arguments);
  };
}

Action declare_submit(CLI::App& verb) {
  struct Text {
    SubmitArguments arguments;
    std::string volume;
  };
  const auto run = add_run(verb);
  const auto text = std::make_shared<Text>();
  SubmitArguments& arguments = text->arguments;
  verb.add_option("--launcher", arguments.launcher, "local, slurm, mpi or k8s")
      ->required()
      ->check(CLI::IsMember({"local", "slurm", "mpi", "k8s"}));
  verb.add_option("--workers", arguments.workers, "how many (default 2)")->check(CLI::Range(1, 100'000));
  verb.add_flag("--print", arguments.print, "only print the job's text; put and submit nothing");
  verb.add_option("--option", arguments.options, "for sbatch (a #SBATCH line) or mpirun: --option=--partition=gpu")
      ->allow_extra_args(false);
  verb.add_option("--profile", arguments.profile, "of the workers: paths of their machines");
  verb.add_option("--worker-db", arguments.worker_database,
                  "the database as their machines name it (default: as here)");
  verb.add_option("--program", arguments.program, "nearfar on their machines (default: this one)");
  verb.add_option("--image", arguments.image, "k8s: container image");
  verb.add_option("--volume", text->volume, "k8s: CLAIM:/FOLDER, where the database and the output folder lie");
  verb.add_option("--namespace", arguments.pod_namespace, "k8s: namespace");
  return [run, text] {
    SubmitArguments& all = text->arguments;
    all.jobs = std::max<std::int64_t>(0, std::exchange(run->jobs, -1));
    run->split();
    all.run = run->arguments;
    if (const std::size_t colon = text->volume.find(':'); !text->volume.empty()) {
      all.claim = text->volume.substr(0, colon);
      all.mount = colon == std::string::npos ? "" : text->volume.substr(colon + 1);
    }
    return submit_verb(all);
  };
}

struct ConfigText {
  ConfigArguments arguments;
  std::vector<std::string> words;

  void split() {
    for (const std::string& word : words) {
      if (word.find('=') != std::string::npos || word.starts_with('~') || word.starts_with('+')) {
        arguments.overrides.push_back(word);
      } else if (arguments.action == "explain" && !arguments.files.empty() && !word.ends_with(".toml") &&
                 arguments.key.empty()) {
        arguments.key = word;
      } else {
        arguments.files.push_back(experiment_file(word));
      }
    }
    if (arguments.files.empty()) throw Error(ErrorKind::config, "no experiment file is given");
    if (arguments.action == "explain" && arguments.key.empty())
      throw Error(ErrorKind::config, "no key is given; expected nearfar config explain CONFIG.toml KEY [key=value…]");
  }
};

Action declare_config(CLI::App& verb) {
  const auto text = std::make_shared<ConfigText>();
  verb.add_option("action", text->arguments.action,
                  "show: all files and overrides as one; check: keys, types and ranges; explain: what sets a key")
      ->required()
      ->check(CLI::IsMember({"show", "check", "explain"}));
  verb.add_option("words", text->words, "CONFIG.toml… [KEY] [key=value…]")->required();
  verb.add_option("--max-cells", text->arguments.max_cells, "a sweep with more is refused (default 10000)")
      ->check(CLI::PositiveNumber);
  add_json(verb, text->arguments.json);
  return [text] { return text->split(), config_verb(text->arguments); };
}

Action declare_status(CLI::App& verb) {
  const auto status = std::make_shared<StatusArguments>();
  verb.add_option("experiment", status->experiment, "only this experiment");
  verb.add_flag("--watch", status->watch,
                "until everything has ended: redrawn on a terminal, else a line for every change");
  add_expression(verb, status->expression);
  verb.add_flag("--all", status->all, "list every cell, however many there are");
  add_json(verb, status->database.json);
  add_database(verb, status->database);
  return [status] { return status_verb(*status); };
}

Action declare_show(CLI::App& verb) {
  const auto database = std::make_shared<DatabaseArguments>();
  const auto cell = std::make_shared<std::string>();
  add_cell(verb, *cell);
  add_json(verb, database->json);
  add_database(verb, *database);
  return [database, cell] { return show_verb(*database, *cell); };
}

Action declare_report(CLI::App& verb) {
  const auto report = std::make_shared<ReportArguments>();
  verb.add_option("kind", report->kind, "leaderboard")->check(CLI::IsMember({"leaderboard"}));
  verb.add_option("--experiment", report->experiment, "only this experiment");
  verb.add_option("--html", report->html, "file, or - for stdout");
  verb.add_option("--markdown", report->markdown, "file, or - for stdout");
  verb.add_option("--csv", report->csv, "file, or - for stdout");
  const CLI::Option* json =
      verb.add_option("--json", report->json, "file, or - for stdout (the default of a bare --json)")
          ->expected(0, 1)
          ->default_str("-");
  add_database(verb, report->database);
  return [report, json] {
    if (json->count() > 0 && report->json.empty()) report->json = "-";
    return report_verb(*report);
  };
}

Action declare_list(CLI::App& verb) {
  const auto list = std::make_shared<ListArguments>();
  verb.add_option("what", list->what)
      ->required()
      ->check(CLI::IsMember({"losses", "postprocessors", "benchmarks", "models", "datasets", "runs", "cells"}));
  add_json(verb, list->database.json);
  add_database(verb, list->database);
  add_plugin_dirs(verb, list->plugin_dirs);
  return [list] { return list_verb(*list); };
}

Action declare_metrics(CLI::App& verb) {
  struct Arguments {
    std::filesystem::path id, ood;
    bool json = false;
  };
  const auto metrics = std::make_shared<Arguments>();
  verb.add_option("--id", metrics->id, "scores of in-distribution images, .npy")->required();
  verb.add_option("--ood", metrics->ood, "scores of out-of-distribution images, .npy")->required();
  add_json(verb, metrics->json);
  return [metrics] { return metrics_verb(metrics->id, metrics->ood, metrics->json); };
}

Action declare_score(CLI::App& verb) {
  const auto score = std::make_shared<ScoreArguments>();
  verb.add_option("name", score->name, "postprocessor")->required();
  verb.add_option("--features", score->features, "feature folder: head/, train/, val/, test/, near/NAME/, …")
      ->required();
  verb.add_option("--set", score->set, "image set, e.g. test or far/mnist (default test)");
  verb.add_option("-p,--param", score->assignments, "key=value; may be repeated")->allow_extra_args(false);
  verb.add_option("-o,--output", score->output, "score file, .npy")->required();
  verb.add_option("--device", score->device, "cpu or cuda");
  verb.add_option("--threads", score->threads, "default: one a core");
  add_json(verb, score->json);
  add_plugin_dirs(verb, score->plugin_dirs);
  return [score] { return score_verb(*score); };
}

Action declare_import(CLI::App& verb) {
  const auto import = std::make_shared<ImportArguments>();
  verb.add_option("file", import->file, "weights: .ckpt, .pth, .safetensors")->required();
  verb.add_option("-o,--output", import->output, "checkpoint to write (default: FILE's name with .safetensors, here)");
  verb.add_option("--architecture", import->architecture, "default: the one that the names and shapes fit");
  verb.add_option("--size", import->size, "height and width of its images (default: the architecture's)")
      ->check(CLI::Range(1, 8192));
  add_json(verb, import->json);
  return [import] { return import_verb(*import); };
}

Action declare_export_check(CLI::App& verb) {
  const auto check = std::make_shared<ExportCheckArguments>();
  verb.add_option("file", check->file, "what torch.export.save wrote, .pt2")->required();
  CLI::Option* inputs =
      verb.add_option("--inputs", check->inputs, "images as Python gave them, .npy [N,channels,height,width]");
  CLI::Option* logits = verb.add_option(
      "--logits", check->logits, "what Python computed, .npy [N,C] (default: FILE.reference.logits.npy, if there)");
  logits->needs(inputs);
  inputs->needs(logits);
  verb.add_option("--feature-node", check->feature_node, "as model.feature_node");
  verb.add_option("--map-nodes", check->map_nodes, "as model.map_nodes, with commas")->delimiter(',');
  verb.add_flag("--nodes", check->nodes, "list the nodes that can be named");
  add_json(verb, check->json);
  return [check] { return export_check_verb(*check); };
}

Action declare_export(CLI::App& verb) {
  struct Arguments {
    DatabaseArguments database;
    std::string cell;
    std::filesystem::path scores;
  };
  const auto wanted = std::make_shared<Arguments>();
  add_cell(verb, wanted->cell);
  verb.add_option("--scores", wanted->scores, "folder for SET.npy")->required();
  add_database(verb, wanted->database);
  return [wanted] { return export_verb(wanted->database, wanted->cell, wanted->scores); };
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

std::shared_ptr<DataOptionsText> add_data(CLI::App& verb) {
  auto text = std::make_shared<DataOptionsText>();
  verb.add_option("benchmark", text->arguments.benchmark, "name or file of a benchmark")->required();
  add_json(verb, text->arguments.json);
  return text;
}

void add_data_words(CLI::App& verb, DataOptionsText& text) {
  verb.add_option("words", text.words,
                  "sets (default: all) and overrides: [SET…] [data.root=DIR data.allow_count_mismatch=true …]");
  verb.add_option("--threads", text.arguments.threads, "that decode (default: one a core)")->check(CLI::Range(1, 256));
}

Action declare_data_check(CLI::App& verb) {
  const auto text = add_data(verb);
  add_data_words(verb, *text);
  return [text] { return text->split(), data_check_verb(text->arguments); };
}

Action declare_data_pack(CLI::App& verb) {
  const auto text = add_data(verb);
  add_data_words(verb, *text);
  verb.add_option("--out", text->arguments.out,
                  "folder (default: data.packed, NEARFAR_PACKED, or 'packed' beneath the data root)");
  verb.add_option("--train-side", text->arguments.train_side,
                  "training copies instead: whole images, their shorter side resized to this (256 for crops of 224)")
      ->check(CLI::Range(16, 4096));
  return [text] { return text->split(), data_pack_verb(text->arguments); };
}

Action declare_data_synth(CLI::App& verb) {
  const auto text = add_data(verb);
  DataArguments& synth = text->arguments;
  verb.add_option("--out", synth.out, "a new folder, then used as data.root")->required();
  verb.add_option("--per-set", synth.per_set, "images a set, at least one a class; train has four times as many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  verb.add_option("--seed", synth.seed, "another seed, other images")->capture_default_str();
  return [text] { return data_synth_verb(text->arguments); };
}

constexpr Verb kDataVerbs[] = {
    {"check", "is every image there, readable and where it belongs? exit 6 if not", declare_data_check},
    {"pack", "decode image files once into packed copies, which are then used by themselves", declare_data_pack},
    {"synth", "a tiny look-alike of a benchmark's image files, for tests and demos", declare_data_synth},
};

Action declare_data(CLI::App& verb) { return declare_verbs(verb, kDataVerbs); }

Action declare_db_check(CLI::App& verb) {
  const auto database = std::make_shared<DatabaseArguments>();
  const auto deep = std::make_shared<bool>(false);
  verb.add_flag("--deep", *deep, "read every file of a result and compare its SHA-256");
  add_json(verb, database->json);
  add_database(verb, *database);
  return [database, deep] { return db_check_verb(*database, *deep); };
}

Action declare_db_backup(CLI::App& verb) {
  const auto database = std::make_shared<DatabaseArguments>();
  const auto target = std::make_shared<std::filesystem::path>();
  verb.add_option("file", *target, "the copy; must not exist")->required();
  add_json(verb, database->json);
  add_database(verb, *database);
  return [database, target] { return db_backup_verb(*database, *target); };
}

Action declare_db_gc(CLI::App& verb) {
  const auto database = std::make_shared<DatabaseArguments>();
  const auto dry_run = std::make_shared<bool>(false);
  verb.add_flag("--dry-run", *dry_run, "only show what would go");
  add_json(verb, database->json);
  add_database(verb, *database);
  return [database, dry_run] { return db_gc_verb(*database, *dry_run); };
}

constexpr Verb kDbVerbs[] = {
    {"check", "is the database whole, is every file of its results there? exit 8 if not", declare_db_check},
    {"backup", "a copy of one state of it, also while others write", declare_db_backup},
    {"gc", "remove files of the output folders that nothing refers to", declare_db_gc},
};

Action declare_db(CLI::App& verb) { return declare_verbs(verb, kDbVerbs); }

Action declare_merge(CLI::App& verb) {
  const auto merge = std::make_shared<MergeArguments>();
  verb.add_option("shards", merge->shards, "databases to add: A.sqlite B.sqlite…")->required();
  verb.add_option("-o,--output", merge->output, "the database to add them to, made if need be")->required();
  verb.add_flag("--allow-mixed", merge->allow_mixed,
                "also benchmarks of one name with other images: boards of their own");
  verb.add_option("--tolerance", merge->tolerance_percent,
                  "percentage points by which two results of one cell may differ unflagged")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  add_json(verb, merge->json);
  return [merge] { return merge_verb(*merge); };
}

Action declare_doctor(CLI::App& verb) {
  struct Arguments {
    DatabaseArguments database;
    Paths plugin_dirs;
  };
  const auto doctor = std::make_shared<Arguments>();
  add_json(verb, doctor->database.json);
  add_database(verb, doctor->database);
  add_plugin_dirs(verb, doctor->plugin_dirs);
  return [doctor] { return doctor_verb(doctor->plugin_dirs, doctor->database); };
}

constexpr Verb kVerbs[] = {
    {"run", "plan, then run every cell that has no valid result", declare_run},
    {"plan", "the cells, and why each would run; writes nothing unless --put", declare_plan},
    {"config", "an experiment as its files and overrides make it: show, check, or explain a key", declare_config},
    {"retry", "run failed cells again, of the experiments that a database keeps", declare_retry},
    {"worker", "do cells that a database holds, beside other workers", declare_worker},
    {"submit", "put an experiment's cells and start workers: here, by Slurm, MPI or Kubernetes", declare_submit},
    {"status", "state of every cell", declare_status},
    {"show", "everything about one cell, with the command that makes it again", declare_show},
    {"logs", "what the processes of a cell have printed", declare_logs},
    {"report", "leaderboard of a database", declare_report},
    {"list", "losses, postprocessors, benchmarks, models, datasets, runs or cells", declare_list},
    {"metrics", "AUROC, FPR@95, AUPR of two score files (higher = more OOD)", declare_metrics},
    {"score", "score one image set of a feature folder with a postprocessor", declare_score},
    {"import", "weights of OpenOOD, torchvision or safetensors files as a nearfar checkpoint", declare_import},
    {"export-check", "does a network that Python exported (.pt2) compute what it did there? exit 1 if not",
     declare_export_check},
    {"export", "score vectors of a finished cell as .npy, in list order", declare_export},
    {"data", "check, pack or make the images of a benchmark", declare_data},
    {"db", "check, back up or tidy a results database", declare_db},
    {"merge", "databases of several hosts as one; again and again, if you like", declare_merge},
    {"doctor", "versions, devices, plugins, data, database: what works here and what does not", declare_doctor},
};

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
  const Action chosen = declare_verbs(app, kVerbs);
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
