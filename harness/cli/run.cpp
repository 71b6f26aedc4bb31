#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/verbs.h"
#include "run/child.h"
#include "run/plan.h"
#include "run/supervise.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <optional>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

Plan planned(const RunArguments& arguments) {
  if (arguments.files.empty())
    throw Error(ErrorKind::config, "no experiment file is given; expected nearfar run CONFIG.toml [key=value…]");
  return make_plan({.files = arguments.files,
                    .overrides = arguments.overrides,
                    .plugin_dirs = arguments.plugin_dirs,
                    .out = arguments.out,
                    .database = arguments.database});
}

void require_device(const std::string& device) {
  if (device != "cuda") return;
  const auto cuda = nlohmann::json::parse(run_engine("doctor", "{}")).at("cuda");
  if (!cuda.at("usable").get<bool>())
    throw Error(ErrorKind::config, fmt::format("device 'cuda' is not usable here: {}. Use --device cpu.",
                                               cuda.at("reason").get<std::string>()));
}

void print_plan(const Plan& plan, bool json) {
  fmt::print("{}{}", json ? plan_json(plan) : plan_text(plan), json ? "\n" : "");
}

void print_result(const Plan& plan, const RunSummary& summary, bool json) {
  if (json) {
    nlohmann::json passes = nlohmann::json::array();
    for (const PassRow& row : summary.passes) {
      passes.push_back({{"model", row.model},
                        {"set", row.set},
                        {"forward", row.forward},
                        {"gradients", row.gradients},
                        {"changed", row.changed},
                        {"float64", row.float64}});
    }
    fmt::print("{}\n", nlohmann::json{{"experiment", plan.experiment.name},
                                      {"database", plan.database.string()},
                                      {"ran", summary.ran},
                                      {"failed", summary.failed},
                                      {"skipped", summary.skipped},
                                      {"interrupted", summary.interrupted},
                                      {"seconds", summary.seconds},
                                      {"passes", passes}}
                           .dump());
    return;
  }
  fmt::print("{}", leaderboard_table(plan.database));
  fmt::print("\n{} cells ran in {}, {} failed, {} were done before; results in {}\n", summary.ran,
             duration_text(summary.seconds), summary.failed,
             plan.cell_count() - summary.ran - summary.failed - summary.skipped, plan.out.string());
}
}  // namespace

int plan_verb(const RunArguments& arguments) {
  Plan plan = planned(arguments);
  std::optional<Store> store;
  if (fs::exists(plan.database)) store = Store::open_read_only(plan.database);
  compare_with_store(plan, store ? &*store : nullptr);
  print_plan(plan, arguments.json);
  return 0;
}

int run_verb(const RunArguments& arguments) {
  if (arguments.dry_run) return plan_verb(arguments);
  Plan plan = planned(arguments);
  require_device(plan.experiment.device);
  Store store = Store::open(plan.database);
  compare_with_store(plan, &store);
  log_info(fmt::format("experiment {} on {}: {} of {} cells to run", plan.experiment.name, plan.benchmark.name,
                       plan.cells_to_run(), plan.cell_count()));
  const RunSummary summary = run_plan(plan, store, {.fail_fast = arguments.fail_fast, .quiet = arguments.quiet});
  write_leaderboards(plan.database, plan.out);
  print_result(plan, summary, arguments.json);
  if (summary.interrupted) return exit_code(ErrorKind::interrupted);
  return summary.failed + summary.skipped > 0 ? 1 : 0;
}

}  // namespace nearfar
