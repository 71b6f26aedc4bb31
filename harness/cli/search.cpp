#include "cli/search.h"

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/signals.h"
#include "base/text.h"
#include "cli/planned.h"
#include "cli/plugin_folders.h"
#include "cli/run_cells.h"
#include "cli/search_text.h"
#include "cli/summary.h"
#include "config/halving.h"
#include "plan/catalog.h"
#include "plan/plan_text.h"
#include "store/session.h"
#include "work/engine_client.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

namespace nearfar {
namespace {

/// Of all points, each with its parameters once: traits follow from them.
std::vector<LossChoice> losses_of(const Experiment& whole) {
  std::vector<LossChoice> losses;
  for (const Point& point : whole.points) {
    for (const LossChoice& loss : point.experiment.losses) {
      const auto same = [&](const LossChoice& other) {
        return other.wanted() == loss.wanted() && other.params == loss.params;
      };
      if (std::none_of(losses.begin(), losses.end(), same)) losses.push_back(loss);
    }
  }
  return losses;
}

/// halving.by, where the experiment does not say it. A loss that the engine does not know is told by the planner.
std::string measure_of(const Experiment& whole, const Paths& plugin_dirs) {
  const Halving& halving = *whole.halving;
  if (halving.by == kByOodVal) return halving.by;
  const std::vector<LossChoice> losses = losses_of(whole);
  const Catalog catalog = read_catalog(engine_asker(), plugin_dirs, losses);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    if (catalog.losses[i].head != "embedding") continue;
    if (halving.by.empty()) return kByOodVal;
    throw Error(
        ErrorKind::config,
        fmt::format("{}: by = \"{}\" is the accuracy of a linear head, and a network that '{}' trains has none; "
                    "set by = \"{}\"",
                    halving.where, kByAccuracy, losses[i].name, kByOodVal));
  }
  return kByAccuracy;
}

void check_arguments(const RunArguments& arguments, const Halving& halving) {
  if (arguments.expression.empty() && !arguments.last_failed) return;
  throw Error(ErrorKind::config,
              fmt::format("{}: -k and --last-failed choose cells, and [sweep.halving] decides by all of a round; leave "
                          "them out",
                          halving.where));
}

/// Without validation images there is nothing to decide by.
void check_images(const Plan& plan, const Halving& halving) {
  for (const BenchmarkPlan& benchmark : plan.benchmarks) {
    if (benchmark.has("val") && benchmark.entry("val").count > 0) continue;
    throw Error(ErrorKind::config, fmt::format("{}: [sweep.halving] decides by validation images, and benchmark '{}' "
                                               "has no set 'val'",
                                               halving.where, benchmark.benchmark.name));
  }
}

/// Of the last epoch of the cell's valid run; none: not measured.
std::optional<double> last_value(const Outcome& outcome, const std::string& curve) {
  for (const CurvePoint& point : outcome.curve) {
    if (point.name == curve && point.step + 1 == outcome.epochs) return point.value;
  }
  return std::nullopt;
}

class Search {
 public:
  Search(const RunArguments& arguments, Experiment experiment)
      : arguments_(arguments), whole_(std::move(experiment)), left_(whole_.points.size()) {
    check_arguments(arguments, *whole_.halving);
    whole_.halving->by = measure_of(whole_, plugin_folders(arguments.plugin_dirs, arguments.files));
    state_.measure = whole_.halving->by;
    state_.full_epochs = whole_.train.epochs;
    state_.rounds = halving_rounds(*whole_.halving, static_cast<std::int64_t>(left_.size()), state_.full_epochs);
    std::iota(left_.begin(), left_.end(), 0);
  }

  int run();
  int plan();

 private:
  RoundChoice choice_of(std::size_t round) const {
    return {left_, state_.rounds[round].epochs, fmt::format("{} of {}", round + 1, state_.rounds.size())};
  }
  RoundChoice end() const { return {left_, state_.full_epochs, ""}; }
  Planned planned_round(const RoundChoice& choice, const StopSignals* signals) const;
  std::vector<std::size_t> without_value(const Plan& plan, const ResultStore& results) const;
  void measure_again(const Plan& plan) const;
  bool close_round(std::size_t round, const Plan& plan, const ResultStore& results);
  std::size_t next_round(std::size_t round) const;
  void add(const CellsRun& run);
  int finish(const CellsRun& last, int code) const;

  const RunArguments& arguments_;
  Experiment whole_;
  std::vector<std::size_t> left_;  ///< points, in their order
  SearchState state_;
};

Planned Search::planned_round(const RoundChoice& choice, const StopSignals* signals) const {
  Planned made = planned(arguments_, round_experiment(whole_, choice), signals);
  check_images(made.plan, *whole_.halving);
  return made;
}

/// Finished trainings that were not asked for the measure: an experiment without run.ood_val made them. Indices of
/// Plan::trains.
std::vector<std::size_t> Search::without_value(const Plan& plan, const ResultStore& results) const {
  std::vector<std::size_t> found;
  if (state_.measure != kByOodVal) return found;  // an accuracy is always there
  for (std::size_t i = 0; i < plan.trains.size(); ++i) {
    const std::optional<CellDetails> cell = results.find(plan.trains[i].cell.key);
    if (cell && cell->status.state == CellState::ok && !last_value(cell->outcome, state_.measure)) found.push_back(i);
  }
  return found;
}

/// The engine takes their last checkpoint up, finds nothing to train, and measures.
void Search::measure_again(const Plan& plan) const {
  if (!Session::exists(plan.database)) return;
  Session session = Session::open(plan.database);
  for (const std::size_t i : without_value(plan, session.results()))
    session.planning().plan_again(plan.trains[i].cell.key, "trained without run.ood_val, by which a search decides");
}

/// What the trials of a round came to, and who goes on. False: some trainings are neither done nor failed.
bool Search::close_round(std::size_t round, const Plan& plan, const ResultStore& results) {
  RoundState done{.number = round + 1, .epochs = state_.rounds[round].epochs};
  std::vector<std::optional<double>> values;
  std::int64_t open = 0;
  std::string failure;
  for (std::size_t i = 0; i < left_.size(); ++i) {
    TrialState trial{.point = left_[i], .settings = whole_.points[left_[i]].settings};
    double sum = 0;
    for (const std::size_t model : plan.points[i].models) {
      const std::optional<CellDetails> cell = results.find(plan.models[model].key);
      const CellState state = cell ? cell->status.state : CellState::planned;
      const std::optional<double> value =
          state == CellState::ok ? last_value(cell->outcome, state_.measure) : std::nullopt;
      trial.trainings.push_back(
          {plan.models[model].key, plan.models[model].seed, std::string(state_name(state)), value});
      open += state == CellState::planned || state == CellState::running ? 1 : 0;
      if (failure.empty() && is_failure(state))
        failure = fmt::format("{}: {}: {}", cell->status.label, state_name(state), cell->status.message);
      trial.failed = trial.failed || !value;
      sum += value.value_or(0);
    }
    if (!trial.failed) trial.value = sum / static_cast<double>(trial.trainings.size());
    values.push_back(trial.value);
    done.trials.push_back(std::move(trial));
  }
  if (open > 0) {
    log_warn(
        fmt::format("round {} of {}: {} trainings are not done: they were not tried, or other processes have "
                    "them; the same command goes on",
                    round + 1, state_.rounds.size(), open));
    return false;
  }
  const bool last = round + 1 == state_.rounds.size();
  const auto most = static_cast<std::int64_t>(last ? left_.size() : 0);
  done.going = survivors(values, last ? most : state_.rounds[round + 1].trials);
  if (done.going.empty()) {
    throw Error(ErrorKind::nothing,
                fmt::format("round {} of {}: all {} trials have failed, so none goes on{}", round + 1,
                            state_.rounds.size(), left_.size(), failure.empty() ? "" : "; " + failure));
  }
  std::vector<std::size_t> next;
  for (const std::size_t place : done.going) next.push_back(left_[place]);
  std::sort(next.begin(), next.end());
  left_ = std::move(next);
  state_.done.push_back(std::move(done));
  return true;
}

/// A trial that is alone needs no more comparison.
std::size_t Search::next_round(std::size_t round) const {
  const std::size_t last = state_.rounds.size() - 1;
  return left_.size() == 1 && round < last ? last : round + 1;
}

void Search::add(const CellsRun& run) {
  state_.ran += run.summary.ran;
  state_.failed += run.summary.failed;
  state_.skipped += run.summary.skipped;
  state_.done_before += run.done_before;
  state_.seconds += run.summary.seconds;
}

int Search::finish(const CellsRun& last, int code) const {
  if (arguments_.json) {
    nlohmann::json document = summary_json(last.plan, last.summary, state_.done_before);
    document["ran"] = state_.ran;
    document["failed"] = state_.failed;
    document["skipped"] = state_.skipped;
    document["seconds"] = state_.seconds;
    document["halving"] = search_json(state_);
    fmt::print("{}\n", document.dump());
  } else {
    fmt::print("{}{}", survivors_text(state_), summary_text(last.plan, last.summary, last.done_before));
  }
  return code;
}

int Search::run() {
  const StopSignals signals;
  const auto run_one = [&](Planned planned) {
    CellsRun ran = run_cells(std::move(planned), nullptr, {}, arguments_.limits, arguments_.quiet, signals);
    add(ran);
    return ran;
  };
  for (std::size_t round = 0; round < state_.rounds.size(); round = next_round(round)) {
    const RoundChoice choice = choice_of(round);
    log_info(fmt::format("round {}: {} trials, {} epochs", choice.round, left_.size(), choice.epochs));
    Planned made = planned_round(choice, &signals);
    measure_again(made.plan);
    const CellsRun ran = run_one(std::move(made));
    const int code = exit_code_of(ran.summary);
    if (code == exit_code(ErrorKind::interrupted)) return finish(ran, code);
    if (!close_round(round, ran.plan, Session::open_read_only(ran.plan.database).results())) return finish(ran, 1);
    for (const std::string& line : round_lines(state_)) log_info(line);
  }
  const CellsRun ran = run_one(planned_round(end(), &signals));
  const std::string table = write_leaderboards(ran.plan.database, ran.plan.out);
  if (!arguments_.json) fmt::print("{}\n", table);
  const int code = exit_code_of(ran.summary);
  return finish(ran, code == 0 && state_.failed + state_.skipped > 0 ? 1 : code);
}

int Search::plan() {
  std::optional<Planned> stands;
  std::optional<Session> session;
  const auto look = [&](const RoundChoice& choice) {
    stands = planned_round(choice, nullptr);
    Plan& plan = stands->plan;
    if (!session && Session::exists(plan.database)) session = Session::open_read_only(plan.database);
    compare(plan, session ? &session->planning() : nullptr, {});
    if (!session || choice.round.empty()) return;
    for (const std::size_t i : without_value(plan, session->results())) {
      plan.trains[i].cell.will_run = true;
      plan.trains[i].cell.reason = "done, but without run.ood_val";
    }
  };
  bool complete = true;
  for (std::size_t round = 0; complete && round < state_.rounds.size(); round = next_round(round)) {
    state_.standing = round + 1;
    look(choice_of(round));
    complete = session && stands->plan.cells_to_run() == 0 && close_round(round, stands->plan, session->results());
  }
  if (complete) {
    state_.standing = state_.rounds.size() + 1;
    look(end());
  }
  Plan& plan = stands->plan;
  state_.trainings = static_cast<std::int64_t>(plan.points.front().models.size());
  if (session) estimate_time(*stands, *session);
  if (arguments_.json) {
    nlohmann::json document = nlohmann::json::parse(plan_json(plan));
    document["halving"] = search_json(state_);
    fmt::print("{}\n", document.dump(2));
  } else {
    fmt::print("{}\n{}", rounds_text(state_), plan_text(plan, arguments_.cells));
  }
  return 0;
}

}  // namespace

int run_search(const RunArguments& arguments, Experiment experiment) {
  return Search(arguments, std::move(experiment)).run();
}

int plan_search(const RunArguments& arguments, Experiment experiment) {
  return Search(arguments, std::move(experiment)).plan();
}

}  // namespace nearfar
