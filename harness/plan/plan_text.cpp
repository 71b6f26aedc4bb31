#include "plan/plan_text.h"

#include "base/progress.h"
#include "base/text.h"
#include "host/params.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>
#include <tuple>

namespace nearfar {
namespace {
using nlohmann::json;

constexpr std::size_t kMostLines = 100;  // of a plan that nobody asked to list

/// What the cells that run need of one model: every image set once, and who needs what.
struct ModelNeeds {
  std::vector<std::string> sets;
  std::map<std::string, std::vector<std::string>> wanted_by;  ///< need → postprocessors
};

/// One entry for each model.
std::vector<ModelNeeds> needs_of(const Plan& plan) {
  std::vector<ModelNeeds> needs(plan.models.size());
  for (const FeaturesCell& features : plan.features) {
    if (features.cell.will_run) needs[features.model].sets.push_back(features.set);
  }
  for (const EvalCell& eval : plan.evals) {
    if (!eval.cell.will_run) continue;
    const PluginDescription& plugin = plan.plugin_of(plan.postprocessors[eval.postprocessor]);
    for (const std::string& need : plugin.needs) needs[eval.model].wanted_by[need].push_back(plugin.name);
  }
  return needs;
}

std::string needs_text(const ModelPlan& model, const ModelNeeds& needs) {
  std::string inside;
  for (const char* need : {"map-statistics", "input-gradients"}) {
    if (const auto found = needs.wanted_by.find(need); found != needs.wanted_by.end()) {
      inside += fmt::format("; in it {} for {}", need, join(found->second, ", "));
    }
  }
  if (needs.sets.empty() && inside.empty()) return "";
  if (needs.sets.empty()) return fmt::format("{}: features are there{}\n", model.label, inside);
  return fmt::format("{}: one forward pass over {}{}\n", model.label, join(needs.sets, ", "), inside);
}

using Row = std::vector<std::string>;

std::string runs_text(const Cell& cell) {
  return cell.will_run ? "yes" : cell.state == "not-applicable" ? "n/a" : "no";
}

/// Calls `visit` with the kind and the cell of every cell of the plan, model by model.
void visit_cells(const Plan& plan, const std::function<void(std::string_view, const Cell&, std::size_t model)>& visit) {
  std::size_t train = 0, features = 0, accuracy = 0, eval = 0;
  for (std::size_t model = 0; model < plan.models.size(); ++model) {
    for (; train < plan.trains.size() && plan.trains[train].model == model; ++train) {
      visit("train", plan.trains[train].cell, model);
    }
    for (; features < plan.features.size() && plan.features[features].model == model; ++features) {
      visit("features", plan.features[features].cell, model);
    }
    for (; accuracy < plan.accuracies.size() && plan.accuracies[accuracy].model == model; ++accuracy) {
      visit("accuracy", plan.accuracies[accuracy].cell, model);
    }
    for (; eval < plan.evals.size() && plan.evals[eval].model == model; ++eval) {
      visit("eval", plan.evals[eval].cell, model);
    }
  }
}

/// A model's features cells that share a decision are one line.
std::vector<Row> cell_rows(const Plan& plan) {
  std::vector<Row> rows{{"cell", "kind", "label", "runs", "why"}};
  std::size_t models = 0;
  std::map<std::pair<std::string, std::string>, std::int64_t> pending;  // of a model: (runs, why) → features cells
  std::set<std::pair<std::string, std::string>> told;
  const auto flush = [&](std::size_t model) {
    for (const auto& [why, count] : pending) {
      rows.push_back({"", "features", fmt::format("{} features of {} sets", plan.models[model].label, count), why.first,
                      why.second});
    }
    pending.clear();
  };
  visit_cells(plan, [&](std::string_view kind, const Cell& cell, std::size_t model) {
    while (models <= model) {
      const ModelPlan& made = plan.models[models++];
      if (made.origin != ModelOrigin::trained)
        rows.push_back({made.key.substr(0, 12), "model", made.label, "-", made.note});
    }
    if (kind == "features") {
      ++pending[{runs_text(cell), cell.reason}];
      return;
    }
    if (kind != "train") flush(model);
    if (cell.state == "not-applicable") {  // so it is for every seed: one line for all
      const std::string label = without_seed(cell.label), why = without_seed(cell.reason);
      if (told.emplace(label, why).second) rows.push_back({"", "eval", label, runs_text(cell), why});
      return;
    }
    rows.push_back({cell.key.substr(0, 12), std::string(kind), cell.label, runs_text(cell), cell.reason});
  });
  if (!plan.models.empty()) flush(plan.models.size() - 1);
  return rows;
}

/// The first and the last of many.
std::string shortened(const std::vector<std::string>& values) {
  constexpr std::size_t kMost = 12;
  if (values.size() <= kMost) return join(values, ", ");
  const std::vector<std::string> first(values.begin(), values.begin() + kMost - 2);
  return fmt::format("{}, … {} ({} values)", join(first, ", "), values.back(), values.size());
}

/// A reason without the model it names: what does not apply, does so for every seed.
std::string reason_of(const Cell& cell, const ModelPlan& model) {
  return without_seed(replace_all(cell.reason, model.label, "the model"));
}

/// How many cells of each kind there are for each reason, kinds in the order of work.
std::vector<Row> count_rows(const Plan& plan) {
  static constexpr std::array<std::string_view, 4> kKinds = {"train", "features", "accuracy", "eval"};
  std::map<std::tuple<std::size_t, std::string, std::string>, std::int64_t> counts;
  visit_cells(plan, [&](std::string_view kind, const Cell& cell, std::size_t model) {
    const auto place = static_cast<std::size_t>(std::find(kKinds.begin(), kKinds.end(), kind) - kKinds.begin());
    ++counts[{place, runs_text(cell), reason_of(cell, plan.models[model])}];
  });
  std::vector<Row> rows{{"cells", "kind", "runs", "why"}};
  for (const auto& [what, count] : counts) {
    const auto& [kind, runs, why] = what;
    rows.push_back({std::to_string(count), std::string(kKinds[kind]), runs, why});
  }
  return rows;
}

/// The axes as they came out: what the points set, with every value once.
std::string sweep_text(const Plan& plan) {
  if (plan.experiment.sweep.empty()) return "";
  std::vector<std::pair<std::string, std::vector<std::string>>> axes;
  std::int64_t asked = 0;
  for (const PointPlan& point : plan.points) {
    asked += static_cast<std::int64_t>(point.models.size());
    for (const Factor& factor : point.settings) {
      auto axis = std::find_if(axes.begin(), axes.end(), [&](const auto& one) { return one.first == factor.name; });
      if (axis == axes.end()) axis = axes.insert(axes.end(), {factor.name, {}});
      const std::string value = param_text(factor.value);
      if (std::find(axis->second.begin(), axis->second.end(), value) == axis->second.end())
        axis->second.push_back(value);
    }
  }
  std::string text = fmt::format("sweep: {}, {} points", plan.experiment.sweep, plan.points.size());
  if (!plan.experiment.round.empty()) text += fmt::format(", round {} by halving", plan.experiment.round);
  for (const auto& [where, count] : plan.experiment.excluded) text += fmt::format(", {} left out by {}", count, where);
  text += "\n";
  std::size_t width = 0;
  for (const auto& [name, values] : axes) width = std::max(width, name.size());
  for (const auto& [name, values] : axes) text += fmt::format("  {:<{}}  {}\n", name, width, shortened(values));
  const auto models = static_cast<std::int64_t>(plan.models.size());
  if (asked > models)
    text += fmt::format("  {} models serve {} uses: what several points ask for is made once\n", models, asked);
  for (const std::string& note : plan.notes) text += fmt::format("  note: {}\n", note);
  return text + "\n";
}

std::string estimate_text(const Plan& plan) {
  if (!plan.estimate) return "";
  const Estimate& estimate = *plan.estimate;
  std::string text = fmt::format("about {} on {}", duration_text(estimate.seconds), plan.experiment.device);
  if (estimate.jobs > 1) text += fmt::format(" with {} jobs", estimate.jobs);
  text += fmt::format(", from {} earlier runs", estimate.runs);
  if (estimate.unknown > 0) text += fmt::format("; of {} cells nothing is known yet", estimate.unknown);
  return text + "\n";
}

std::string benchmarks_text(const Plan& plan) {
  std::vector<std::string> names;
  for (const BenchmarkPlan& benchmark : plan.benchmarks) {
    names.push_back(fmt::format("{} ({})", benchmark.benchmark.name, benchmark.benchmark.title));
  }
  return join(names, ", ");
}

}  // namespace

std::string plan_text(const Plan& plan, bool cells) {
  const bool lists = cells || (plan.experiment.sweep.empty() && plan.models.size() + plan.evals.size() < kMostLines);
  const std::vector<Row> rows = lists ? cell_rows(plan) : count_rows(plan);
  std::string passes;
  const std::vector<ModelNeeds> needs = needs_of(plan);
  for (std::size_t i = 0; lists && i < plan.models.size(); ++i) {
    if (plan.models[i].origin != ModelOrigin::features) passes += needs_text(plan.models[i], needs[i]);
  }
  return fmt::format("experiment {} on {}\n\n{}{}\n{}{} of {} cells to run{}; output in {}\n{}", plan.experiment.name,
                     benchmarks_text(plan), sweep_text(plan), table(rows, std::vector<bool>(rows[0].size(), false)),
                     passes, plan.cells_to_run(), plan.cell_count(), lists ? "" : " (--cells lists them)",
                     plan.out.string(), estimate_text(plan));
}

std::string plan_json(const Plan& plan) {
  json cells = json::array(), needs = json::array(), benchmarks = json::array();
  const std::vector<ModelNeeds> found = needs_of(plan);
  for (std::size_t i = 0; i < plan.models.size(); ++i) {
    if (found[i].sets.empty() && found[i].wanted_by.empty()) continue;
    needs.push_back({{"model", plan.models[i].label}, {"sets", found[i].sets}, {"needs", found[i].wanted_by}});
  }
  for (const BenchmarkPlan& benchmark : plan.benchmarks) {
    benchmarks.push_back({{"name", benchmark.benchmark.name}, {"data_hash", benchmark.manifest.hash}});
  }
  json points = json::array();
  for (const PointPlan& point : plan.points) {
    json settings = json::object();
    for (const Factor& factor : point.settings)
      std::visit([&](const auto& held) { settings[factor.name] = held; }, factor.value);
    points.push_back({{"settings", settings}, {"models", point.models.size()}});
  }
  std::size_t eval = 0;
  visit_cells(plan, [&](std::string_view kind, const Cell& cell, std::size_t index) {
    const ModelPlan& model = plan.models[index];
    const std::string postprocessor =
        kind == "eval" ? plan.plugin_of(plan.postprocessors[plan.evals[eval++].postprocessor]).name : "";
    cells.push_back({{"key", cell.key},
                     {"label", cell.label},
                     {"kind", kind},
                     {"benchmark", plan.benchmark_of(model).benchmark.name},
                     {"training", model.training},
                     {"seed", model.seed},
                     {"postprocessor", postprocessor},
                     {"state", cell.state},
                     {"will_run", cell.will_run},
                     {"reason", cell.reason}});
  });
  json estimate = nullptr;
  if (plan.estimate) {
    estimate = {{"seconds", plan.estimate->seconds},
                {"known_cells", plan.estimate->known},
                {"unknown_cells", plan.estimate->unknown},
                {"earlier_runs", plan.estimate->runs},
                {"jobs", plan.estimate->jobs}};
  }
  return json{{"experiment", plan.experiment.name},
              {"benchmark", plan.benchmarks.front().benchmark.name},
              {"data_hash", plan.benchmarks.front().manifest.hash},
              {"benchmarks", benchmarks},
              {"config_hash", plan.experiment.hash},
              {"out", plan.out.string()},
              {"cells_to_run", plan.cells_to_run()},
              {"estimate", estimate},
              {"points", points},
              {"needs", needs},
              {"cells", cells}}
      .dump(2);
}

}  // namespace nearfar
