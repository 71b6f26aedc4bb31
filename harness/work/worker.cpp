#include "base/error.h"
#include "base/log.h"
#include "work/worker_running.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr double kHeartbeatSeconds = 20;
constexpr int kMostLaunchFailures = 20;
constexpr double kLaunchPause = 1;    // a machine without a process to spare often has one a second later
constexpr double kQuestionPause = 1;  // a question takes the write lock, and there may be hundreds of workers
constexpr double kRecoveryPause = 5;

}  // namespace

Worker::Worker(const Plan& plan, PutPlan put, Session& session, WorkerWorld world, WorkerOptions options)
    : plan_(plan),
      put_(std::move(put)),
      session_(session),
      world_(std::move(world)),
      options_(options),
      jobs_(plan.experiment.jobs > 0                   ? static_cast<std::size_t>(plan.experiment.jobs)
            : options_.devices.front().device == "cpu" ? std::max<std::size_t>(1, std::thread::hardware_concurrency())
                                                       : options_.devices.size()),
      progress_(plan.cells_to_run(), "cells", options.quiet ? Progress::Mode::quiet : Progress::Mode::automatic) {
  const auto know = [&](const Cell& cell, CellKind kind, std::size_t index) {
    if (!places_.emplace(cell.key, Place{kind, index}).second) return;
    if (!cell.will_run) held_.insert(cell.key);
  };
  for (std::size_t i = 0; i < plan.trains.size(); ++i) know(plan.trains[i].cell, CellKind::train, i);
  for (std::size_t i = 0; i < plan.accuracies.size(); ++i) know(plan.accuracies[i].cell, CellKind::accuracy, i);
  for (std::size_t i = 0; i < plan.evals.size(); ++i) know(plan.evals[i].cell, CellKind::eval, i);
  for (std::size_t i = 0; i < plan.features.size(); ++i) {
    const FeaturesCell& features = plan.features[i];
    know(features.cell, CellKind::features, i);
    features_key_[{features.model, features.set}] = features.cell.key;
  }
}

Worker::~Worker() = default;

const Cell& Worker::cell_at(const Place& place) const {
  switch (place.kind) {
    case CellKind::train:
      return plan_.trains[place.index].cell;
    case CellKind::features:
      return plan_.features[place.index].cell;
    case CellKind::accuracy:
      return plan_.accuracies[place.index].cell;
    case CellKind::eval:
      break;
  }
  return plan_.evals[place.index].cell;
}

std::size_t Worker::model_at(const Place& place) const {
  switch (place.kind) {
    case CellKind::train:
      return plan_.trains[place.index].model;
    case CellKind::features:
      return plan_.features[place.index].model;
    case CellKind::accuracy:
      return plan_.accuracies[place.index].model;
    case CellKind::eval:
      break;
  }
  return plan_.evals[place.index].model;
}

void Worker::say(std::string_view line) {
  if (world_.say) {
    world_.say(line);
  } else {
    progress_.line(line);
  }
}

bool Worker::stopping() const { return summary_.interrupted || (options_.fail_fast && summary_.failed > 0); }

bool Worker::begun_enough(std::size_t besides) const {
  return options_.most_cells > 0 && begun_ + static_cast<std::int64_t>(besides) >= options_.most_cells;
}

WorkSummary Worker::run() {
  start_ = world_.clock.seconds();
  last_heartbeat_ = start_;
  while (true) {
    obey_signals();
    const bool exhausted = !start_ready();
    if (running_.empty() && (stopping() || (exhausted && !others_may_make_ready()))) break;
    wait_for_messages();
    for (const auto& running : running_) read(*running);
    std::erase_if(running_, [](const auto& running) { return running->closed; });
    heartbeat();
    show_progress();
  }
  progress_.finish();
  count_leftovers();
  summary_.seconds = world_.clock.seconds() - start_;
  return summary_;
}

/// The first request stops cleanly, the second at once.
void Worker::obey_signals() {
  const int count = world_.signals == nullptr ? 0 : world_.signals->count();
  const bool late = !summary_.interrupted && options_.stop_after_seconds > 0 &&
                    world_.clock.seconds() - start_ >= options_.stop_after_seconds;
  if (count == stops_seen_ && !late) return;
  stops_seen_ = count;
  if (!summary_.interrupted)
    say(late ? "the time is over: waiting for checkpoints"
             : "interrupted: waiting for checkpoints; once more ends them at once");
  summary_.interrupted = true;
  for (const auto& running : running_) apply(*running, running->task.stop(world_.clock.seconds(), count > 1));
}

/// False: nothing is ready, and nothing waits for a process to spare.
bool Worker::start_ready() {
  while (!stopping() && running_.size() < jobs_) {
    const double now = world_.clock.seconds();
    if (now < no_launch_before_) return true;
    if (begun_enough() || now < no_question_before_) return false;
    if (!start_next()) {
      no_question_before_ = now + kQuestionPause;
      return false;
    }
    nobody_runs_ = false;
  }
  return true;
}

/// Nothing is ready, and nothing runs here.
bool Worker::others_may_make_ready() {
  if (!options_.wait_for_others || begun_enough()) return false;
  const double now = world_.clock.seconds();
  if (now < next_look_) return true;
  next_look_ = now + kQuestionPause;
  if (now >= next_recovery_) {
    next_recovery_ = now + kRecoveryPause;
    if (session_.queue().recover_stale() > 0) no_question_before_ = 0;
  }
  if (const std::int64_t count = session_.queue().running_count(put_.experiment_id); count > 0) {
    if (!std::exchange(told_of_waiting_, true))
      say(fmt::format("waiting: others run {} cells, and more may be ready after them", count));
    nobody_runs_ = false;
    return true;
  }
  if (nobody_runs_) return false;
  nobody_runs_ = true;  // they may have finished after we asked: once more
  no_question_before_ = next_look_ = 0;
  return true;
}

/// What other workers have made of a model, and where they failed. Within the transaction that claims its cells.
void Worker::look_at_others(std::size_t model) {
  put_.places[model] = places_now(plan_, session_.planning(), model);
  std::vector<std::string> keys;
  const auto begin = features_key_.lower_bound({model, ""}), end = features_key_.lower_bound({model + 1, ""});
  for (auto one = begin; one != end; ++one) keys.push_back(one->second);
  const std::vector<std::optional<StoredCell>> stored = session_.planning().stored(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!stored[i]) continue;
    if (is_failure(stored[i]->state)) {
      failed_.insert(keys[i]);
    } else {
      failed_.erase(keys[i]);  // somebody asked for it again
    }
  }
}

/// Has one of these features cells of the model failed in this run?
bool Worker::lost(std::size_t model, const std::vector<std::string>& sets) const {
  return std::any_of(sets.begin(), sets.end(), [&](const std::string& set) {
    const auto key = features_key_.find({model, set});
    return key != features_key_.end() && failed_.contains(key->second);
  });
}

/// A cell cannot be done where an image set it looks at could not be passed.
bool Worker::needs_failed(const Place& place) const {
  if (failed_.empty()) return false;
  if (place.kind == CellKind::accuracy) {
    const std::size_t model = plan_.accuracies[place.index].model;
    return lost(model, accuracy_sets(plan_, plan_.models[model]));
  }
  if (place.kind != CellKind::eval) return false;
  const EvalCell& eval = plan_.evals[place.index];
  const PostprocessorPlan& with = plan_.postprocessors[eval.postprocessor];
  return lost(eval.model, fit_sets(plan_.plugin_of(with), with.grid)) ||
         lost(eval.model, plan_.benchmark_of(plan_.models[eval.model]).scored_sets);
}

std::vector<std::string> Worker::without_lost_needs(const std::vector<std::string>& keys) {
  std::vector<std::string> kept;
  for (const std::string& key : keys) {
    if (!needs_failed(places_.at(key))) {
      kept.push_back(key);
    } else {
      held_.insert(key);
      if (settled_.insert(key).second) ++summary_.skipped;
    }
  }
  return kept;
}

RunContext Worker::context_of(const Place& place, const fs::path& log, const DeviceSlot& device) const {
  std::int64_t plugin = 0;
  if (place.kind == CellKind::train) plugin = put_.plugin_ids[plan_.trains[place.index].plugin];
  if (place.kind == CellKind::eval) {
    plugin = put_.plugin_ids[plan_.postprocessors[plan_.evals[place.index].postprocessor].plugin];
  }
  return {.owner = world_.owner,
          .device = device.name,
          .threads = static_cast<int>(plan_.experiment.threads),
          .engine_version = engine_version(),
          .numerics = std::to_string(kNumericsVersion),
          .log_file = log.string(),
          .plugin_id = plugin,
          .lease_seconds = options_.lease_seconds};
}

/// Claims the next ready group in one transaction and launches its engine. False: nothing is ready.
bool Worker::start_next() {
  std::vector<std::string> keys;
  std::map<std::string, Lease> leases;
  std::size_t model = 0;
  const std::size_t slot = idlest_device();
  bool found = false;
  std::vector<std::string> taken;
  std::string left;
  session_.while_claiming([&] {
    keys.clear(), leases.clear(), taken.clear(), left.clear();  // it may be called again
    found = false;
    const auto group = session_.queue().next_ready(
        put_.experiment_id, [&](std::string_view key) { return held_.contains(key) || !places_.contains(key); });
    if (!group) return;
    found = true;
    model = model_at(places_.at(group->keys.front()));
    const bool training = group->kind == CellKind::train;
    if (!training) {
      look_at_others(model);
      const fs::path& file = put_.places[model].checkpoint;
      if (plan_.models[model].origin == ModelOrigin::trained && !fs::exists(file)) {
        held_.insert(group->keys.begin(), group->keys.end());
        left = fmt::format("left      {} cells of {}: {} is not on this machine", group->keys.size(),
                           plan_.models[model].label, file.string());
        return;
      }
    }
    const fs::path log = cell_folder(plan_.models[model].key) / (training ? "train.log" : "eval.log");
    const std::int64_t out = session_.planning().put_location(plan_.out);
    const std::int64_t features = session_.planning().put_location(put_.places[model].features_root);
    for (const std::string& key : without_lost_needs(group->keys)) {
      if (begun_enough(keys.size())) break;
      const Place& place = places_.at(key);
      RunContext context = context_of(place, log, options_.devices[slot]);
      context.location = place.kind == CellKind::features ? features : out;
      if (auto lease = session_.queue().claim(key, context)) {
        leases.emplace(key, std::move(*lease));
        keys.push_back(key);
      } else {
        taken.push_back(key);  // somebody else has it
      }
    }
  });
  held_.insert(taken.begin(), taken.end());
  begun_ += static_cast<std::int64_t>(keys.size());
  if (!left.empty()) say(left);
  if (!found) return false;
  if (keys.empty()) return true;
  std::vector<Owed> owed;
  for (const std::string& key : keys) owed.push_back({key, cell_at(places_.at(key)).label, places_.at(key).kind});
  const bool training = owed.front().kind == CellKind::train;
  const fs::path log = cell_folder(plan_.models[model].key) / (training ? "train.log" : "eval.log");
  TaskOptions options{plan_.experiment.timeout_seconds, options_.grace_seconds, (plan_.out / log).string()};
  auto running =
      std::make_unique<Running>(Running{.task = Task(std::move(owed), std::move(options), world_.clock.seconds()),
                                        .model = model,
                                        .leases = std::move(leases),
                                        .slot = slot,
                                        .out = plan_.out});
  launch(*running, keys);
  if (running->process) running_.push_back(std::move(running));
  return true;
}

/// The device on which the fewest children compute.
std::size_t Worker::idlest_device() const {
  std::vector<std::size_t> users(options_.devices.size(), 0);
  for (const auto& running : running_) ++users[running->slot];
  return static_cast<std::size_t>(std::min_element(users.begin(), users.end()) - users.begin());
}

void Worker::launch(Running& running, const std::vector<std::string>& keys) {
  const DeviceSlot& device = options_.devices[running.slot];
  LaunchRequest request{.verb = running.task.training() ? "train" : "eval",
                        .job = {},
                        .log = plan_.out / cell_folder(plan_.models[running.model].key) /
                               (running.task.training() ? "train.log" : "eval.log"),
                        .threads = static_cast<int>(plan_.experiment.threads),
                        .visible = device.visible};
  if (running.task.training()) {
    wire::TrainJob job = train_job(plan_, plan_.trains[places_.at(keys.front()).index]);
    job.compute.device = device.device;
    request.job = wire::dump(wire::to_json(job));
  } else {
    Group group{.model = running.model};
    for (const std::string& key : keys) {
      const Place& place = places_.at(key);
      (place.kind == CellKind::features   ? group.features
       : place.kind == CellKind::accuracy ? group.accuracies
                                          : group.evals)
          .push_back(place.index);
    }
    wire::EvalJob job = eval_job(plan_, put_.places[running.model], group);
    job.compute.device = device.device;
    running.protocols = job.protocols;
    request.job = wire::dump(wire::to_json(job));
  }
  try {
    running.process = world_.launcher.launch(request);
    launches_failed_ = 0;
  } catch (const Error& error) {
    // No process or no descriptor to spare: what runs goes on, and later there may be one.
    for (const std::string& key : keys) give_back(running, {key, error.what(), true});
    if (++launches_failed_ >= kMostLaunchFailures) throw;
    log_warn(fmt::format("{}; trying again", error.what()));
    no_launch_before_ = world_.clock.seconds() + kLaunchPause;
  }
}

void Worker::read(Running& running) {
  const double now = world_.clock.seconds();
  for (const std::string& line : running.process->read_lines()) {
    try {
      apply(running, running.task.on(wire::message_of(line), now));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::internal) throw;
      apply(running, running.task.on_unreadable(error.what()));
    }
  }
  apply(running, running.task.on_time(world_.clock.seconds()));
  if (!running.process->ended()) return;
  const ProcessExit exit = running.process->wait();
  apply(running, running.task.on_exit(exit, world_.clock.seconds()));
  if (!running.task.training()) tell_passes(running);
  running.closed = true;
  no_question_before_ = 0;
}

void Worker::apply(Running& running, const Effects& effects) {
  for (const Effect& effect : effects) {
    std::visit(
        Overloaded{
            [&](const Done& done) { store_done(running, done); },
            [&](const Looked& looked) {
              const wire::Cost& cost = looked.message.cost;
              running.passes.push_back({looked.message.set, cost.forward, cost.gradients, cost.changed, cost.float64});
            },
            [&](const FailCell& failed) { store_failed(running, failed); },
            [&](const HandBack& back) { give_back(running, back); },
            [&](const SendSignal& signal) { running.process->signal(signal.number); },
            [&](const StoppedOutside&) {
              say(fmt::format("stopped from outside: the engine of {}; its cells are handed back",
                              plan_.models[running.model].label));
            }},
        effect);
  }
}

void Worker::heartbeat() {
  const double now = world_.clock.seconds();
  if (now - last_heartbeat_ < kHeartbeatSeconds) return;
  last_heartbeat_ = now;
  session_.queue().heartbeat(world_.owner, options_.lease_seconds);
  if (options_.wait_for_others && session_.queue().recover_stale() > 0) no_question_before_ = 0;
}

void Worker::wait_for_messages() {
  std::vector<pollfd> fds;
  for (const auto& running : running_) {
    if (const int fd = running->process->message_fd(); fd >= 0) fds.push_back({fd, POLLIN, 0});
  }
  const bool fakes = !running_.empty() && fds.empty();
  if (!fakes) ::poll(fds.data(), fds.size(), 200);
}

void Worker::show_progress() {
  double done = static_cast<double>(settled_.size());
  std::string note;
  for (const auto& running : running_) {
    done += running->task.training() ? running->task.progress() : 0;
    if (!running->task.note().empty()) note += (note.empty() ? "" : " | ") + running->task.note();
  }
  progress_.update(done, note);
}

}  // namespace nearfar
