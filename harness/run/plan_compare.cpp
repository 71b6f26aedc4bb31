/// What the database knows of the cells of a plan.
#include "base/error.h"
#include "run/plan.h"

#include <fmt/format.h>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// Empty if every file of the finished cell is there with the size it had.
std::string missing_file(const Plan& plan, const CellDetails& details) {
  std::error_code code;
  for (const ArtifactRow& artifact : details.artifacts) {
    const auto size = fs::file_size(plan.out / artifact.path, code);
    if (code) return fmt::format("{} is gone", artifact.path);
    if (static_cast<std::int64_t>(size) != artifact.bytes)
      return fmt::format("{} has {} bytes, had {}", artifact.path, size, artifact.bytes);
  }
  for (const ScoreSetRow& scores : details.scores) {
    if (!fs::exists(plan.out / scores.path, code)) return fmt::format("{} is gone", scores.path);
  }
  return "";
}

void compare(const Plan& plan, const Store* store, PlannedCell& cell) {
  cell.will_run = true;
  cell.reason = "new";
  const auto details = store != nullptr && store->state(cell.record.key) ? store->find(cell.record.key) : std::nullopt;
  if (!details) return;
  cell.state = details->status.state;
  switch (cell.state) {
    case CellState::ok: {
      const std::string missing = missing_file(plan, *details);
      cell.will_run = !missing.empty();
      cell.reason = cell.will_run ? "done, but " + missing : "done";
      break;
    }
    case CellState::planned:
      cell.reason = details->status.attempt > 0 ? "interrupted before" : "planned before";
      break;
    case CellState::running:
      cell.reason = fmt::format("running ({}), goes on if that process is gone", details->status.owner);
      break;
    default:
      cell.reason = fmt::format("{} before: {}", state_name(cell.state), details->status.message);
      break;
  }
}
}  // namespace

void compare_with_store(Plan& plan, const Store* store) {
  for (PlannedModel& model : plan.models) {
    if (model.origin == ModelOrigin::trained) compare(plan, store, model.cell);
    for (PlannedEval& eval : model.evals) {
      if (!eval.applicable) continue;
      compare(plan, store, eval.cell);
      if (model.cell.will_run && !eval.cell.will_run) {
        eval.cell.will_run = true;  // its model is made anew: whether that changes a number is for the run to show
        eval.cell.reason = "its model is trained again";
      }
    }
  }
}

}  // namespace nearfar
