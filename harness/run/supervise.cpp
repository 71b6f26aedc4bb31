#include "run/supervise.h"

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/stopwatch.h"
#include "base/text.h"
#include "run/child.h"
#include "run/evaluate.h"
#include "run/jobs.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <thread>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

volatile std::sig_atomic_t interrupt_signal = 0;
void on_signal(int number) { interrupt_signal = number; }

/// Our handlers while a plan runs; the earlier ones come back.
class SignalScope {
 public:
  SignalScope() {
    interrupt_signal = 0;
    struct sigaction action {};
    action.sa_handler = on_signal;
    for (std::size_t i = 0; i < 2; ++i) ::sigaction(kSignals[i], &action, &before_[i]);
  }
  ~SignalScope() {
    for (std::size_t i = 0; i < 2; ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
  }
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

 private:
  static constexpr int kSignals[2] = {SIGINT, SIGTERM};
  struct sigaction before_[2]{};
};

/// One child and the cells it is responsible for.
struct Task {
  PlannedModel* model = nullptr;
  std::vector<PlannedEval*> evals;           ///< empty: the task is the train cell
  std::map<std::string, std::int64_t> runs;  ///< cell key → claimed run, until it has ended
  std::string current;                       ///< key of the cell the child works on
  std::unique_ptr<Child> child;
  Stopwatch since_current;
  double progress = 0;  ///< of the current cell, 0 … 1
  std::string note;
  std::string job_error;  ///< an error that concerns the whole job
  CellState job_state = CellState::failed;
  bool timed_out = false;
  bool stopped = false;  ///< the child was told to stop, by us or by somebody else
};

std::unique_ptr<Task> new_task(PlannedModel& model) {
  auto task = std::make_unique<Task>();
  task->model = &model;
  return task;
}

std::string passes_text(const PassRow& all) {
  if (all.forward == 0) return "no network pass: all features were cached";
  std::string text = fmt::format("one forward pass of {} images in {}", all.forward, all.set);
  if (all.gradients > 0)
    text += fmt::format("; in it {} images backward and {} changed ones forward", all.gradients, all.changed);
  else if (all.changed > 0)
    text += fmt::format("; in it {} changed ones forward", all.changed);
  if (all.float64 > 0) text += fmt::format("; {} through its float64 copy", all.float64);
  return text;
}

class Supervisor {
 public:
  Supervisor(Plan& plan, Store& store, const RunOptions& options)
      : plan_(plan),
        store_(store),
        options_(options),
        jobs_(plan.experiment.jobs > 0 ? static_cast<std::size_t>(plan.experiment.jobs)
                                       : std::max(1U, std::thread::hardware_concurrency())),
        progress_(plan.cells_to_run(), "cells", options.quiet ? Progress::Mode::quiet : Progress::Mode::automatic) {}

  RunSummary run() {
    const SignalScope signals;
    queue_work();
    while (!queue_.empty() || !running_.empty()) {
      if (interrupt_signal != 0 && !summary_.interrupted) interrupt();
      while (!stopping() && running_.size() < jobs_ && !queue_.empty()) start_next();
      if (running_.empty() && (stopping() || queue_.empty())) break;
      wait_for_messages();
      for (std::size_t i = 0; i < running_.size(); ++i) {
        Task& task = *running_[i];
        for (const std::string& line : task.child->read_lines()) receive(task, line);
        check_time(task);
        if (task.child->ended()) end(i--);
      }
      show_progress();
    }
    progress_.finish();
    summary_.seconds = watch_.seconds();
    return summary_;
  }

 private:
  bool stopping() const { return summary_.interrupted || (options_.fail_fast && summary_.failed > 0); }

  void queue_work() {
    for (PlannedModel& model : plan_.models) {
      if (model.cell.will_run) {
        queue_.push_back(new_task(model));
      } else {
        queue_evals(model);
      }
    }
  }

  void queue_evals(PlannedModel& model) {
    auto task = new_task(model);
    for (PlannedEval& eval : model.evals) {
      if (eval.cell.will_run) task->evals.push_back(&eval);
    }
    // In front: a finished model's scores are wanted before the next model.
    if (!task->evals.empty()) queue_.push_front(std::move(task));
  }

  RunContext context(const PluginDescription& plugin, const fs::path& log) {
    const std::string tag =
        fmt::format("torch {} abi {} {} c++ {} sdk {}", plugin.build_tag.torch, plugin.build_tag.cxx_abi,
                    plugin.build_tag.compiler, plugin.build_tag.standard, plugin.build_tag.sdk);
    return {.owner = owner_of_this_process(),
            .device = plan_.experiment.device,
            .threads = static_cast<int>(plan_.experiment.threads),
            .engine_version = engine_version(),
            .numerics = std::to_string(kNumericsVersion),
            .log_file = log.string(),
            .plugin_id = store_.put_plugin({.kind = plugin.kind,
                                            .name = plugin.name,
                                            .version = plugin.version,
                                            .source_hash = plugin.source_hash,
                                            .binary_hash = plugin.binary_hash,
                                            .build_tag = tag})};
  }

  void start_next() {
    std::unique_ptr<Task> task = std::move(queue_.front());
    queue_.pop_front();
    const fs::path folder = cell_folder(task->model->cell.record.key);
    const bool training = task->evals.empty();
    const fs::path log = folder / (training ? "train.log" : "eval.log");
    const auto claim = [&](const std::string& key, const PluginDescription& plugin) {
      const auto run = store_.claim(key, context(plugin, log));
      if (run)
        task->runs[key] = *run;
      else
        ++summary_.skipped;
      return run.has_value();
    };
    if (training) {
      if (!claim(task->model->cell.record.key, *task->model->plugin)) {
        skip_evals(*task->model, "its model is being trained by another process");
        return;
      }
      task->current = task->model->cell.record.key;
    } else {
      std::erase_if(task->evals, [&](PlannedEval* eval) { return !claim(eval->cell.record.key, *eval->plugin); });
      if (task->evals.empty()) return;
    }
    const std::string job = training ? train_job(plan_, *task->model) : eval_job(plan_, *task->model, task->evals);
    task->since_current.restart();
    task->child = std::make_unique<Child>(training ? "train" : "eval", job, plan_.out / log,
                                          static_cast<int>(plan_.experiment.threads));
    running_.push_back(std::move(task));
  }

  void wait_for_messages() {
    std::vector<pollfd> fds;
    for (const auto& task : running_) fds.push_back({task->child->message_fd(), POLLIN, 0});
    ::poll(fds.data(), fds.size(), 200);
  }

  void interrupt() {
    summary_.interrupted = true;
    progress_.line("interrupted: waiting for checkpoints");
    for (const auto& task : running_) task->child->signal(SIGTERM);
  }

  void check_time(Task& task) {
    const double limit = plan_.experiment.timeout_seconds;
    if (limit <= 0 || task.timed_out || task.since_current.seconds() < limit) return;
    task.timed_out = true;
    task.child->signal(SIGKILL);
  }

  void receive(Task& task, const std::string& line) {
    const json message = json::parse(line, nullptr, false);
    if (message.is_discarded() || !message.contains("type")) {
      task.job_error = "the engine sent a message that cannot be read: " + line.substr(0, 200);
      return;
    }
    try {
      dispatch(task, message);
    } catch (const json::exception& error) {
      task.job_error = fmt::format("the engine sent a malformed message ({}): {}", error.what(), line.substr(0, 200));
    }
  }

  void dispatch(Task& task, const json& message) {
    const std::string type = message.at("type");
    if (type == "progress") {
      task.progress = message.at("done").get<double>() / std::max(1.0, message.at("total").get<double>());
      task.note = message.at("note").get<std::string>();
    } else if (type == "begin") {
      task.current = message.at("cell").get<std::string>();
      task.since_current.restart();
    } else if (type == "trained") {
      finish_training(task, message);
    } else if (type == "scored") {
      finish_scoring(task, message);
    } else if (type == "passes") {
      add_passes(task, message.at("passes"));
    } else if (type == "failed") {
      fail(task, message.at("cell"), state_from_name(message.at("state").get<std::string>()), message.at("message"));
    } else if (type == "error") {
      task.job_error = message.at("message").get<std::string>();
      task.stopped = message.at("kind") == kind_name(ErrorKind::interrupted);
      task.job_state = message.value("state", "") == "nan" ? CellState::nan : CellState::failed;
    }
  }

  void finish_training(Task& task, const json& message) {
    const std::string key = task.model->cell.record.key;
    const auto run = task.runs.find(key);
    if (run == task.runs.end()) return;
    store_.finish_train(run->second, train_result_from(message));
    task.runs.erase(run);
    task.model->cell.state = CellState::ok;
    ++summary_.ran;
    progress_.line(fmt::format("trained  {}  {} accuracy {:.2f} %  in {}", task.model->cell.record.label,
                               message.at("classifier").get<std::string>(),
                               100 * message.at("test_accuracy").get<double>(),
                               duration_text(message.at("seconds").get<double>())));
    queue_evals(*task.model);
  }

  void finish_scoring(Task& task, const json& message) {
    const std::string key = message.at("cell");
    const auto run = task.runs.find(key);
    if (run == task.runs.end()) return;
    EvalResult result = eval_result_from(message);
    std::vector<ScoreFile> files;
    for (const ScoreSetRow& row : result.scores) files.push_back({row.set, plan_.out / row.path});
    try {
      const std::vector<MetricRow> rows = metric_rows(files, plan_.protocols());
      result.metrics.insert(result.metrics.end(), rows.begin(), rows.end());
    } catch (const Error& error) {
      fail(task, key, CellState::invalid, error.what());
      return;
    }
    store_.finish_eval(run->second, result);
    task.runs.erase(run);
    ++summary_.ran;
    const std::string tuned = message.contains("tuned")
                                  ? fmt::format("  tuned: {}", message.at("tuned").at("chosen").get<std::string>())
                                  : "";
    progress_.line(fmt::format("scored   {}{}", label_of(task, key), tuned));
  }

  void add_passes(const Task& task, const json& passes) {
    const CellRecord& model = task.model->cell.record;
    PassRow all{.model = model.label, .set = fmt::format("{} sets", passes.size())};
    for (const json& row : passes) {
      summary_.passes.push_back({.model = model.label,
                                 .set = row.at("set"),
                                 .forward = row.at("forward"),
                                 .gradients = row.at("gradients"),
                                 .changed = row.at("changed"),
                                 .float64 = row.at("float64")});
      all.forward += summary_.passes.back().forward;
      all.gradients += summary_.passes.back().gradients;
      all.changed += summary_.passes.back().changed;
      all.float64 += summary_.passes.back().float64;
    }
    const std::string text = passes_text(all);
    store_.event("info", model.key, text);
    progress_.line(fmt::format("passes   {}  {}", model.label, text));
  }

  std::string label_of(const Task& task, const std::string& key) const {
    for (const PlannedEval* eval : task.evals) {
      if (eval->cell.record.key == key) return eval->cell.record.label;
    }
    return task.model->cell.record.label;
  }

  void fail(Task& task, const std::string& key, CellState state, const std::string& message) {
    const auto run = task.runs.find(key);
    if (run == task.runs.end()) return;
    store_.fail(run->second, state, message);
    task.runs.erase(run);
    ++summary_.failed;
    progress_.line(fmt::format("{}  {}: {}", state_name(state), label_of(task, key), message));
    if (task.evals.empty()) skip_evals(*task.model, "its model failed");
  }

  void skip_evals(PlannedModel& model, std::string_view why) {
    for (PlannedEval& eval : model.evals) {
      if (!eval.cell.will_run) continue;
      ++summary_.skipped;
      eval.cell.reason = why;
    }
  }

  /// The child has closed its pipe: whatever it still owes is settled. A crash is the cell's that it was working on;
  /// the others go on in a new child.
  void end(std::size_t index) {
    const std::unique_ptr<Task> task = std::move(running_[index]);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
    const ChildExit exit = task->child->wait();
    if (task->runs.empty()) return;
    if (task->stopped) summary_.interrupted = true;
    if (summary_.interrupted && !task->timed_out) {
      for (const auto& [key, run] : task->runs) store_.hand_back(run);
      return;
    }
    const fs::path log =
        plan_.out / cell_folder(task->model->cell.record.key) / (task->evals.empty() ? "train.log" : "eval.log");
    std::string message = task->job_error;
    CellState state = task->job_state;
    if (task->timed_out) {
      state = CellState::timeout;
      message = fmt::format("took longer than run.timeout_seconds = {}", number_text(plan_.experiment.timeout_seconds));
    } else if (exit.signal != 0) {
      state = CellState::crashed;
      message = fmt::format("the engine was ended by signal {} ({}); its output is in {}", exit.signal,
                            ::strsignal(exit.signal), log.string());
    } else if (message.empty()) {
      message = fmt::format("the engine ended with exit code {} before the cell was done; its output is in {}",
                            exit.code, log.string());
    }
    const bool whole_job = !task->job_error.empty() || task->current.empty();
    settle(*task, whole_job, state, message);
  }

  void settle(Task& task, bool whole_job, CellState state, const std::string& message) {
    const auto owed = task.runs;
    auto rest = new_task(*task.model);
    for (const auto& [key, run] : owed) {
      if (whole_job || key == task.current) {
        fail(task, key, state, message);
        continue;
      }
      store_.hand_back(run, "the process that was to score it ended with another cell");
      for (PlannedEval* eval : task.evals) {
        if (eval->cell.record.key == key) rest->evals.push_back(eval);
      }
    }
    if (!rest->evals.empty()) queue_.push_front(std::move(rest));
  }

  void show_progress() {
    double done = static_cast<double>(summary_.ran + summary_.failed + summary_.skipped);
    std::string note;
    for (const auto& task : running_) {
      done += task->evals.empty() ? task->progress : 0;
      if (!task->note.empty()) note += (note.empty() ? "" : " | ") + task->note;
    }
    progress_.update(done, note);
  }

  Plan& plan_;
  Store& store_;
  RunOptions options_;
  std::size_t jobs_;
  Progress progress_;
  Stopwatch watch_;
  std::deque<std::unique_ptr<Task>> queue_;
  std::vector<std::unique_ptr<Task>> running_;
  RunSummary summary_;
};

void put_plan(Plan& plan, Store& store) {
  store.in_transaction([&] {
    store.put_benchmark(plan.benchmark_record());
    const std::int64_t experiment =
        store.put_experiment(plan.experiment.name, plan.experiment.canonical, plan.experiment.hash);
    std::int64_t order = 0;
    const auto put = [&](const PlannedCell& cell) {
      store.put_cell(experiment, cell.record, order++);
      if (!cell.will_run || cell.state != CellState::ok) return;
      store.invalidate(cell.record.key, cell.reason);
      // A finished training whose files are not what they were starts over; its own checkpoints would say "finished".
      for (const char* file : {"best.safetensors", "last.safetensors"})
        fs::remove(plan.out / cell_folder(cell.record.key) / file);
    };
    for (const PlannedModel& model : plan.models) {
      if (model.origin == ModelOrigin::trained) put(model.cell);
      for (const PlannedEval& eval : model.evals) {
        put(eval.cell);
        if (!eval.applicable) store.set_not_applicable(eval.cell.record.key, eval.cell.reason);
      }
    }
  });
}
}  // namespace

RunSummary run_plan(Plan& plan, Store& store, const RunOptions& options) {
  if (const int stale = store.recover_stale(); stale > 0)
    log_info(fmt::format("{} cells were left running by a process that is gone; they go on", stale));
  put_plan(plan, store);
  return Supervisor(plan, store, options).run();
}

}  // namespace nearfar
