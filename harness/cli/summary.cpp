#include "cli/summary.h"

#include "base/progress.h"
#include "store/address.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

/// Cells that are still to be done, by the next run or by another process.
std::int64_t left_of(const Plan& plan, const WorkSummary& summary) {
  return plan.cells_to_run() - summary.ran - summary.failed - summary.skipped - summary.done_elsewhere -
         summary.failed_elsewhere;
}

}  // namespace

nlohmann::json summary_json(const Plan& plan, const WorkSummary& summary, std::int64_t done_before) {
  nlohmann::json passes = nlohmann::json::array();
  for (const auto& [model, row] : summary.passes) {
    passes.push_back({{"model", model},
                      {"set", row.set},
                      {"forward", row.forward},
                      {"gradients", row.gradients},
                      {"changed", row.changed},
                      {"float64", row.float64}});
  }
  return {{"experiment", plan.experiment.name},
          {"database", shown_database(plan.database)},
          {"ran", summary.ran},
          {"failed", summary.failed},
          {"skipped", summary.skipped},
          {"elsewhere", summary.elsewhere},
          {"done_elsewhere", summary.done_elsewhere},
          {"failed_elsewhere", summary.failed_elsewhere},
          {"left", left_of(plan, summary)},
          {"handed_back", summary.handed_back},
          {"done_before", done_before},
          {"interrupted", summary.interrupted},
          {"seconds", summary.seconds},
          {"passes", passes}};
}

std::string summary_text(const Plan& plan, const WorkSummary& summary, std::int64_t done_before) {
  std::string text = fmt::format("{} cells ran in {}, {} failed, {} were done before", summary.ran,
                                 duration_text(summary.seconds), summary.failed, done_before);
  if (summary.skipped > 0) text += fmt::format(", {} were skipped", summary.skipped);
  if (summary.done_elsewhere > 0) text += fmt::format(", {} were done by other processes", summary.done_elsewhere);
  if (summary.failed_elsewhere > 0) text += fmt::format(", {} failed there", summary.failed_elsewhere);
  if (const std::int64_t left = left_of(plan, summary); left > 0) {
    text += fmt::format(", {} are left{}", left, summary.elsewhere > 0 ? " to other processes" : "");
  }
  return text + fmt::format("; results in {}\n", plan.out.string());
}

}  // namespace nearfar
