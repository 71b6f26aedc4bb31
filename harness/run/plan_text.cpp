/// The plan for people and for programs.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "run/plan.h"

namespace nearfar {
namespace {
using nlohmann::json;

json cell_json(const PlannedCell& cell) {
  return {{"key", cell.record.key},           {"label", cell.record.label}, {"kind", cell.record.kind},
          {"training", cell.record.training}, {"seed", cell.record.seed},   {"postprocessor", cell.record.postprocessor},
          {"state", state_name(cell.state)},  {"will_run", cell.will_run},  {"reason", cell.reason}};
}
}  // namespace

std::string plan_text(const Plan& plan) {
  std::vector<std::vector<std::string>> rows{{"cell", "kind", "label", "runs", "why"}};
  const auto add = [&](const PlannedCell& cell) {
    rows.push_back({cell.record.key.substr(0, 12), cell.record.kind, cell.record.label,
                    cell.will_run                             ? "yes"
                    : cell.state == CellState::not_applicable ? "n/a"
                                                              : "no",
                    cell.reason});
  };
  for (const PlannedModel& model : plan.models) {
    if (model.origin == ModelOrigin::trained)
      add(model.cell);
    else
      rows.push_back({model.cell.record.key.substr(0, 12), "model", model.cell.record.label, "-", model.cell.reason});
    for (const PlannedEval& eval : model.evals) add(eval.cell);
  }
  return fmt::format("experiment {} on {} ({})\n\n{}\n{} of {} cells to run; output in {}\n", plan.experiment.name, plan.benchmark.name,
                     plan.benchmark.title, table(rows, {false, false, false, false, false}), plan.cells_to_run(), plan.cell_count(),
                     plan.out.string());
}

std::string plan_json(const Plan& plan) {
  json cells = json::array();
  for (const PlannedModel& model : plan.models) {
    if (model.origin == ModelOrigin::trained) cells.push_back(cell_json(model.cell));
    for (const PlannedEval& eval : model.evals) cells.push_back(cell_json(eval.cell));
  }
  return json{{"experiment", plan.experiment.name},
              {"benchmark", plan.benchmark.name},
              {"data_hash", plan.manifest.hash},
              {"config_hash", plan.experiment.hash},
              {"out", plan.out.string()},
              {"cells_to_run", plan.cells_to_run()},
              {"cells", cells}}
      .dump(2);
}

}  // namespace nearfar
