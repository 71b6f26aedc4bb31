/// The plan for people and for programs.
#include "base/text.h"
#include "run/plan.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace nearfar {
namespace {
using nlohmann::json;

json cell_json(const PlannedCell& cell) {
  return {
      {"key", cell.record.key},           {"label", cell.record.label}, {"kind", cell.record.kind},
      {"training", cell.record.training}, {"seed", cell.record.seed},   {"postprocessor", cell.record.postprocessor},
      {"state", state_name(cell.state)},  {"will_run", cell.will_run},  {"reason", cell.reason}};
}

/// What the cells that run need of one model: every image set once, and who needs what.
struct ModelNeeds {
  std::vector<std::string> sets;
  std::map<std::string, std::vector<std::string>> wanted_by;  ///< need → postprocessors
};

ModelNeeds needs_of(const Plan& plan, const PlannedModel& model) {
  ModelNeeds needs;
  const auto add = [&](const std::string& set) {
    if (std::find(needs.sets.begin(), needs.sets.end(), set) == needs.sets.end()) needs.sets.push_back(set);
  };
  for (const PlannedEval& eval : model.evals) {
    if (!eval.cell.will_run) continue;
    for (const std::string& set : plan.fit_sets(model, eval)) add(set);
    for (const std::string& need : eval.plugin->needs) needs.wanted_by[need].push_back(eval.plugin->name);
  }
  if (!needs.wanted_by.empty()) {
    for (const std::string& set : plan.scored_sets()) add(set);
  }
  return needs;
}

std::string needs_text(const Plan& plan, const PlannedModel& model) {
  const ModelNeeds needs = needs_of(plan, model);
  if (needs.sets.empty()) return "";
  std::vector<std::string> wanted, inside;
  for (const char* need : {"features", "normalized-features", "logits", "head-weights"}) {
    if (needs.wanted_by.contains(need)) wanted.emplace_back(need);
  }
  std::string text = fmt::format("{}: one forward pass over {} (less what is cached) for {}", model.cell.record.label,
                                 join(needs.sets, ", "), wanted.empty() ? "what is below" : join(wanted, ", "));
  for (const char* need : {"map-statistics", "input-gradients"}) {
    if (const auto found = needs.wanted_by.find(need); found != needs.wanted_by.end())
      text += fmt::format("; in it {} for {}", need, join(found->second, ", "));
  }
  return text + "\n";
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
  std::string passes;
  for (const PlannedModel& model : plan.models) {
    if (model.origin != ModelOrigin::features) passes += needs_text(plan, model);
  }
  return fmt::format("experiment {} on {} ({})\n\n{}\n{}{} of {} cells to run; output in {}\n", plan.experiment.name,
                     plan.benchmark.name, plan.benchmark.title, table(rows, {false, false, false, false, false}),
                     passes, plan.cells_to_run(), plan.cell_count(), plan.out.string());
}

std::string plan_json(const Plan& plan) {
  json cells = json::array(), needs = json::array();
  for (const PlannedModel& model : plan.models) {
    if (const ModelNeeds found = needs_of(plan, model); !found.sets.empty())
      needs.push_back({{"model", model.cell.record.label}, {"sets", found.sets}, {"needs", found.wanted_by}});
    if (model.origin == ModelOrigin::trained) cells.push_back(cell_json(model.cell));
    for (const PlannedEval& eval : model.evals) cells.push_back(cell_json(eval.cell));
  }
  return json{{"experiment", plan.experiment.name},
              {"benchmark", plan.benchmark.name},
              {"data_hash", plan.manifest.hash},
              {"config_hash", plan.experiment.hash},
              {"out", plan.out.string()},
              {"cells_to_run", plan.cells_to_run()},
              {"needs", needs},
              {"cells", cells}}
      .dump(2);
}

}  // namespace nearfar
