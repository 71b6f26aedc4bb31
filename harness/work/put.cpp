#include "work/put.h"

#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace nearfar {
namespace {
using nlohmann::json;

/// What all cells of a model have in common.
CellRecord record_of(const Plan& plan, const ModelPlan& model, CellKind kind, const Cell& cell) {
  const BenchmarkPlan& benchmark = plan.benchmark_of(model);
  CellRecord record{.key = cell.key, .kind = kind, .model_key = model.key};
  record.train_key = model.origin == ModelOrigin::trained && kind != CellKind::train ? model.key : "";
  record.label = cell.label;
  record.benchmark = benchmark.benchmark.name;
  record.data_hash = benchmark.manifest.hash;
  record.architecture = model.architecture;
  record.head = model.head;
  record.training = model.training;
  record.training_params = model.training_params;
  record.recipe = model.recipe;
  record.seed = model.seed;
  record.identity_json = cell.identity;
  record.flags = model.flags;
  return record;
}

std::vector<CellRecord> records_of(const Plan& plan) {
  std::vector<CellRecord> records;
  records.reserve(plan.trains.size() + plan.features.size() + plan.accuracies.size() + plan.evals.size());
  std::size_t train = 0, features = 0, accuracy = 0, eval = 0;
  for (std::size_t index = 0; index < plan.models.size(); ++index) {
    const ModelPlan& model = plan.models[index];
    for (; train < plan.trains.size() && plan.trains[train].model == index; ++train) {
      records.push_back(record_of(plan, model, CellKind::train, plan.trains[train].cell));
      records.back().factors = model.factors;
    }
    for (; features < plan.features.size() && plan.features[features].model == index; ++features) {
      const FeaturesCell& cell = plan.features[features];
      if (!cell.cell.needed && cell.cell.state == "planned") continue;
      records.push_back(record_of(plan, model, CellKind::features, cell.cell));
      records.back().image_set = cell.set;
    }
    for (; accuracy < plan.accuracies.size() && plan.accuracies[accuracy].model == index; ++accuracy) {
      records.push_back(record_of(plan, model, CellKind::accuracy, plan.accuracies[accuracy].cell));
    }
    for (; eval < plan.evals.size() && plan.evals[eval].model == index; ++eval) {
      const EvalCell& cell = plan.evals[eval];
      const PostprocessorPlan& with = plan.postprocessors[cell.postprocessor];
      CellRecord record = record_of(plan, model, CellKind::eval, cell.cell);
      record.postprocessor = plan.plugin_of(with).name;
      record.postprocessor_params = with.shown;
      record.factors = with.factors;
      records.push_back(std::move(record));
    }
  }
  return records;
}

std::int64_t put_plugin(PlanStore& store, const PluginDescription& plugin) {
  const std::string tag =
      fmt::format("torch {} abi {} {} c++ {} sdk {}", plugin.build_tag.torch, plugin.build_tag.cxx_abi,
                  plugin.build_tag.compiler, plugin.build_tag.standard, plugin.build_tag.sdk);
  return store.put_plugin({.kind = plugin.kind,
                           .name = plugin.name,
                           .version = plugin.version,
                           .source_hash = plugin.source_hash,
                           .binary_hash = plugin.binary_hash,
                           .build_tag = tag,
                           .tier = plugin.tier});
}

/// A cell that is to run and has run before is planned again, whatever it was.
void plan_again(const Cell& cell, PlanStore& store) {
  if (cell.will_run && cell.state != "planned" && cell.state != "running") {
    store.plan_again(cell.key, cell.reason);
  }
}

}  // namespace

std::vector<std::int64_t> put_plugins(const Plan& plan, PlanStore& store) {
  std::vector<std::int64_t> ids(plan.catalog.plugins.size(), 0);
  for (const TrainCell& train : plan.trains) {
    if (ids[train.plugin] == 0) ids[train.plugin] = put_plugin(store, plan.catalog.plugins[train.plugin]);
  }
  for (const PostprocessorPlan& with : plan.postprocessors) {
    if (ids[with.plugin] == 0) ids[with.plugin] = put_plugin(store, plan.plugin_of(with));
  }
  return ids;
}

BenchmarkRecord benchmark_record(const BenchmarkPlan& plan) {
  const Benchmark& benchmark = plan.benchmark;
  BenchmarkRecord record{.name = benchmark.name, .data_hash = plan.manifest.hash, .definition_json = {}, .sets = {}};
  json definition{{"title", benchmark.title},
                  {"classes", benchmark.classes},
                  {"shape", {benchmark.channels, benchmark.height, benchmark.width}}};
  const auto add = [&](const std::string& name, const std::string& group, std::int64_t count) {
    const std::size_t slash = name.find('/');
    record.sets.push_back({.name = slash == std::string::npos ? name : name.substr(slash + 1),
                           .group = group,
                           .role = group == "control" ? "a check on the detector, in no mean" : "",
                           .image_count = count});
  };
  std::set<std::string> known;
  for (const SetSpec& set : benchmark.sets) {  // all of them: which ones a plan reads depends on its postprocessors
    add(set.name, set.group, plan.has(set.name) ? plan.entry(set.name).count : set.count);
    known.insert(set.name);
  }
  for (const ManifestEntry& set : plan.manifest.sets) {
    definition["sets"].push_back(
        {{"name", set.name}, {"count", set.count}, {"expected", set.expected}, {"hash", set.hash}});
    if (!known.contains(set.name)) add(set.name, set.group, set.count);
  }
  record.definition_json = definition.dump(-1, ' ', false, json::error_handler_t::replace);
  return record;
}

PutPlan put_plan(Plan& plan, Session& session, const Asked& asked) {
  PutPlan put;
  session.in_transaction([&] {
    PlanStore& store = session.planning();
    put.places = compare(plan, &store, asked);
    for (const BenchmarkPlan& benchmark : plan.benchmarks) store.put_benchmark(benchmark_record(benchmark));
    put.plugin_ids = put_plugins(plan, store);
    const Experiment& experiment = plan.experiment;
    put.experiment_id = store.put_experiment(
        {experiment.name, experiment.canonical, experiment.hash, experiment.composed, plan.profile});
    const std::vector<CellRecord> records = records_of(plan);
    std::vector<const CellRecord*> pointers;
    for (const CellRecord& record : records) pointers.push_back(&record);
    store.put_cells(put.experiment_id, pointers);
    for (const TrainCell& train : plan.trains) plan_again(train.cell, store);
    for (const FeaturesCell& features : plan.features) plan_again(features.cell, store);
    for (const AccuracyCell& accuracy : plan.accuracies) plan_again(accuracy.cell, store);
    for (const EvalCell& eval : plan.evals) {
      if (eval.applicable) {
        plan_again(eval.cell, store);
      } else {
        store.set_not_applicable(eval.cell.key, eval.cell.reason);
      }
    }
  });
  return put;
}

}  // namespace nearfar
