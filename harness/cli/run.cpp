#include "base/error.h"
#include "base/signals.h"
#include "base/text.h"
#include "cli/planned.h"
#include "cli/run_cells.h"
#include "cli/search.h"
#include "cli/summary.h"
#include "cli/verbs.h"
#include "plan/plan_text.h"
#include "store/address.h"
#include "store/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// What `run` and `retry` do with a plan: its cells, and what is told of them.
int run_plan(Planned planned, const Choice* choice, const Asked& asked, const RunLimits& limits, bool json,
             bool quiet) {
  const StopSignals signals;
  const CellsRun run = run_cells(std::move(planned), choice, asked, limits, quiet, signals);
  const std::string table = write_leaderboards(run.plan.database, run.plan.out);
  if (json) {
    fmt::print("{}\n", summary_json(run.plan, run.summary, run.done_before).dump());
  } else {
    fmt::print("{}\n{}", table, summary_text(run.plan, run.summary, run.done_before));
  }
  return exit_code_of(run.summary);
}

}  // namespace

int plan_verb(const RunArguments& arguments) {
  Experiment experiment = experiment_of(arguments);
  if (experiment.halving && !arguments.put) return plan_search(arguments, std::move(experiment));
  Choice choice{.text = arguments.expression, .last_failed = arguments.last_failed};
  Plan plan;
  if (arguments.put) {
    plan = plan_of(arguments, std::move(experiment));  // may be for another machine's devices
    put_for_workers(plan);
  } else {
    Planned made = planned(arguments, std::move(experiment));
    std::optional<Session> session;
    if (Session::exists(made.plan.database)) session = Session::open_read_only(made.plan.database);
    compare(made.plan, session ? &session->planning() : nullptr, choice.asked());
    choice.require_some(made.plan);
    if (session) estimate_time(made, *session);
    plan = std::move(made.plan);
  }
  fmt::print("{}{}", arguments.json ? plan_json(plan) : plan_text(plan, arguments.cells), arguments.json ? "\n" : "");
  return 0;
}

int run_verb(const RunArguments& arguments) {
  if (arguments.dry_run) return plan_verb(arguments);
  Experiment experiment = experiment_of(arguments);
  if (experiment.halving) return run_search(arguments, std::move(experiment));
  Choice choice{.text = arguments.expression, .last_failed = arguments.last_failed};
  return run_plan(planned(arguments, std::move(experiment)), &choice, choice.asked(), arguments.limits, arguments.json,
                  arguments.quiet);
}

int retry_verb(const RetryArguments& arguments) {
  const Selection expression(arguments.expression);
  std::vector<CellState> states;
  for (const std::string& name : arguments.states) states.push_back(state_from_name(name));
  const fs::path database = database_of(arguments.database);
  std::map<std::string, ExperimentRecord> experiments;
  std::set<std::string, std::less<>> keys, models;  // models: whose training or features are done again
  {
    const Session session = Session::open_read_only(database);
    for (const std::string& name : session.results().experiments()) {
      if (!arguments.experiment.empty() && name != arguments.experiment) continue;
      for (const CellStatus& cell : session.results().cells(name, states)) {
        if (!expression.matches(cell.label, cell.kind, cell.key)) continue;
        keys.insert(cell.key);
        if (cell.kind == CellKind::train || cell.kind == CellKind::features) models.insert(cell.model_key);
        experiments.try_emplace(name, *session.results().experiment(name));
      }
    }
    if (keys.empty()) {
      throw Error(ErrorKind::nothing, fmt::format("{}: no cell is {}{}; `nearfar status` lists them",
                                                  shown_database(database), join(arguments.states, " or "),
                                                  arguments.expression.empty() ? "" : " and selected by -k"));
    }
  }
  // With them goes what was not tried because they had failed.
  const Asked asked = [&](const Cell& cell, CellKind, const ModelPlan& model) {
    return keys.contains(cell.key) || (cell.state == "planned" && models.contains(model.key));
  };
  int code = 0;
  for (const auto& [name, record] : experiments) {
    code = std::max(code, run_plan(planned_again(record, database, arguments.limits, arguments.trust, arguments.quiet),
                                   nullptr, asked, arguments.limits, arguments.database.json, arguments.quiet));
    if (code == exit_code(ErrorKind::interrupted)) break;
  }
  return code;
}

}  // namespace nearfar
