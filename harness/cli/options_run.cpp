/// Options of the verbs that plan and do cells.
#include "base/error.h"
#include "base/locations.h"
#include "cli/options_parts.h"
#include "launch/worker_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

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
      if (is_override(word))
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
      if (is_override(word)) {
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

constexpr Verb kVerbs[] = {
    {"run", "plan, then run every cell that has no valid result", declare_run},
    {"plan", "the cells, and why each would run; writes nothing unless --put", declare_plan},
    {"config", "an experiment as its files and overrides make it: show, check, or explain a key", declare_config},
    {"retry", "run failed cells again, of the experiments that a database keeps", declare_retry},
    {"worker", "do cells that a database holds, beside other workers", declare_worker},
    {"submit", "put an experiment's cells and start workers: here, by Slurm, MPI or Kubernetes", declare_submit},
};

}  // namespace

std::span<const Verb> run_verbs() { return kVerbs; }

}  // namespace nearfar
