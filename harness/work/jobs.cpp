#include "work/jobs.h"

#include "base/locations.h"

#include <map>
#include <set>

#ifndef NEARFAR_VERSION
#error "NEARFAR_VERSION comes from CMake's project version"
#endif

namespace nearfar {
namespace {
namespace fs = std::filesystem;

std::string absolute_text(const fs::path& path) {
  return path.empty() ? "" : fs::absolute(path).lexically_normal().string();
}

wire::Images images_of(const BenchmarkPlan& benchmark) {
  const LoadOptions& options = benchmark.options;
  return {.benchmark = absolute_text(benchmark.benchmark.file),
          .identity = benchmark.identity,
          .root = absolute_text(options.data_root),
          .packed = absolute_text(options.packed),
          .limit = options.limit,
          .allow_count_mismatch = options.allow_count_mismatch,
          .follow_links = options.follow_links,
          .on_unreadable = options.on_unreadable == OnUnreadable::skip ? "skip" : "fail",
          .data_identity = options.identity == DataIdentity::stat ? "stat" : "contents"};
}

wire::Compute compute_of(const Experiment& experiment, const Shares& shares) {
  return {.device = experiment.device,
          .threads = experiment.threads,
          .loader_threads = shares.loader_threads,
          .deterministic = experiment.deterministic};
}

wire::Plugin plugin_of(const PluginDescription& plugin, const ParamMap& params) {
  return {.path = plugin.path, .name = plugin.name, .source_hash = plugin.source_hash, .params = params};
}

wire::Model model_of(const ModelPlan& model, const ModelPlaces& places) {
  wire::Model job{.origin = std::string(origin_name(model.origin)), .file = places.checkpoint.string()};
  job.features = (places.features_root / feature_folder(model.key)).string();
  if (model.origin == ModelOrigin::checkpoint) {
    job.sha256 = model.weights;
    job.architecture = model.architecture;
    job.mappings = absolute_text(share() / "configs/models");
  } else if (model.origin == ModelOrigin::exported || model.origin == ModelOrigin::torchscript) {
    job.sha256 = model.weights;
    job.feature_node = model.feature_node;
    job.map_nodes = model.map_nodes;
  } else if (model.origin == ModelOrigin::features) {
    job.features = job.file;
  }
  return job;
}

/// Image sets in the order in which the engine is to look at them, each with its features cell, if that is to be done.
class Sets {
 public:
  Sets(const Plan& plan, const Group& group) : benchmark_(plan.benchmark_of(plan.models[group.model])) {
    for (const std::size_t index : group.features) cells_[plan.features[index].set] = plan.features[index].cell.key;
    for (const auto& [set, cell] : cells_) wanted_.insert(set);
  }
  void want(const std::vector<std::string>& sets) { wanted_.insert(sets.begin(), sets.end()); }

  std::vector<wire::PassCell> of(const std::vector<std::string>& order) const {
    std::vector<wire::PassCell> result;
    for (const std::string& set : order) {
      if (!wanted_.contains(set)) continue;
      const auto cell = cells_.find(set);
      result.push_back({cell == cells_.end() ? "" : cell->second, {set, benchmark_.entry(set).hash}});
    }
    return result;
  }

 private:
  const BenchmarkPlan& benchmark_;
  std::map<std::string, std::string> cells_;
  std::set<std::string> wanted_;
};

}  // namespace

std::string engine_version() { return NEARFAR_VERSION; }

wire::TrainJob train_job(const Plan& plan, const TrainCell& train, const Shares& shares) {
  const ModelPlan& model = plan.models[train.model];
  const BenchmarkPlan& benchmark = plan.benchmark_of(model);
  wire::TrainJob job{.cell = train.cell.key, .label = train.cell.label, .images = images_of(benchmark)};
  for (const char* set : {"train", "val"}) {
    if (benchmark.has(set)) job.sets.push_back({set, benchmark.entry(set).hash});
  }
  if (plan.experiment.ood_val) job.sets.push_back({"ood_val", benchmark.entry("ood_val").hash});
  job.loss = plugin_of(plan.catalog.plugins[train.plugin], train.params);
  job.architecture = model.architecture;
  job.recipe = plan.losses[train.loss].recipe;
  if (!train.initial.empty()) {
    job.initial = absolute_text(train.initial);
    job.initial_sha256 = train.initial_sha256;
    job.mappings = absolute_text(share() / "configs/models");
  }
  job.seed = model.seed;
  job.compute = compute_of(plan.experiment, shares);
  job.ranks = plan.experiment.nproc;
  job.tensorboard = plan.experiment.tensorboard;
  job.out = absolute_text(plan.out);
  job.folder = cell_folder(train.cell.key).string();
  return job;
}

wire::EvalJob eval_job(const Plan& plan, const ModelPlaces& places, const Group& group, const Shares& shares) {
  const ModelPlan& model = plan.models[group.model];
  const BenchmarkPlan& benchmark = plan.benchmark_of(model);
  wire::EvalJob job{.label = model.label,
                    .images = images_of(benchmark),
                    .compute = compute_of(plan.experiment, shares),
                    .out = absolute_text(plan.out),
                    .features_out = places.features_root.string(),
                    .model = model_of(model, places)};
  Sets sets(plan, group);
  for (const std::size_t index : group.evals) {
    const EvalCell& eval = plan.evals[index];
    const PostprocessorPlan& with = plan.postprocessors[eval.postprocessor];
    job.cells.push_back({.cell = eval.cell.key,
                         .postprocessor = plugin_of(plan.plugin_of(with), with.params),
                         .grid = grid_text(with.grid),
                         .folder = cell_folder(eval.cell.key).string()});
    sets.want(benchmark.scored_sets);
    sets.want(fit_sets(plan.plugin_of(with), with.grid));
  }
  for (const std::size_t index : group.accuracies) {
    const AccuracyCell& accuracy = plan.accuracies[index];
    job.accuracy = wire::AccuracyCell{accuracy.cell.key, cell_folder(accuracy.cell.key).string()};
    sets.want(accuracy_sets(plan, model));
  }
  job.fit_sets = sets.of({"train", "val", "ood_val"});
  job.score_sets = sets.of(benchmark.scored_sets);
  for (const ProtocolSpec& protocol : benchmark.protocols) job.protocols.push_back({protocol.name, protocol.csid});
  return job;
}

}  // namespace nearfar
