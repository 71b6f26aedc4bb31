#pragma once
/// From an experiment to the cells it consists of, each with its identity, and what the database already knows of them.
/// Reads configs, data (to hash it) and the database; writes nothing.
#include "config/experiment.h"
#include "data/benchmark.h"
#include "data/image_set.h"
#include "host/grid.h"
#include "run/catalog.h"
#include "store/store.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// Raised when the same inputs may give other numbers: part of every cell key.
inline constexpr int kNumericsVersion = 2;

struct PlannedCell {
  CellRecord record;
  CellState state = CellState::planned;  ///< of the database; planned if it is new
  std::string reason;  ///< why it runs, or why not: "new", "done", "failed before: …", "needs logits; …"
  bool will_run = false;
};

struct PlannedEval {
  PlannedCell cell;
  const PluginDescription* plugin = nullptr;  ///< of Plan::catalog
  ParamMap params;                            ///< complete; with a grid, those that are not searched
  ParamGrid grid;                             ///< not empty: searched on ID val against ood_val
  bool applicable = true;
};

enum class ModelOrigin {
  trained,     ///< by a train cell of this plan
  checkpoint,  ///< weights made elsewhere
  features,    ///< a feature folder
};

/// One model and the eval cells on it.
struct PlannedModel {
  ModelOrigin origin = ModelOrigin::trained;
  /// The train cell. Of a model made elsewhere: its identity and label; such a cell is never in the database and never
  /// runs.
  PlannedCell cell;
  bool has_classifier = true;
  const LossChoice* loss = nullptr;           ///< trained: of Plan::experiment
  const PluginDescription* plugin = nullptr;  ///< trained: of Plan::catalog
  ParamMap params;                            ///< trained: complete
  std::filesystem::path file;                 ///< checkpoint: the weights; features: the folder
  std::string weights;                        ///< checkpoint: SHA-256 of the file
  std::int64_t seed = 0;
  std::vector<PlannedEval> evals;
};

struct Plan {
  Experiment experiment;
  Benchmark benchmark;
  LoadOptions data_options;
  Manifest manifest;
  Catalog catalog;
  std::filesystem::path out, database;
  std::vector<PlannedModel> models;

  std::string flags() const;  ///< "count-mismatch;partial" or less: of every cell of this plan
  /// The asked-for protocols, as the benchmark has them.
  std::vector<ProtocolSpec> protocols() const;
  /// Sets that an evaluation scores: test, then near, far, csid (of the protocols) and control sets in the benchmark's
  /// order.
  std::vector<std::string> scored_sets() const;
  /// Sets that an eval cell looks at besides: train, val, ood_val, as the plugin and its tuning need them.
  std::vector<std::string> fit_sets(const PlannedModel& model, const PlannedEval& eval) const;
  const ManifestEntry& entry(std::string_view set) const;
  BenchmarkRecord benchmark_record() const;
  std::int64_t cell_count() const;  ///< train and eval, applicable ones
  std::int64_t cells_to_run() const;
};

struct PlanRequest {
  std::vector<std::filesystem::path> files;
  std::vector<std::string> overrides;
  std::vector<std::filesystem::path> plugin_dirs;
  std::filesystem::path out, database;  ///< --out, --db; empty = out/NAME of the experiment, results.sqlite beneath it
};

/// Error(config): unknown names or parameters, with file:line; Error(data): images missing or not as the benchmark
/// says; Error(nothing): no cell is left. `store` may be null: nothing has been run yet.
Plan make_plan(const PlanRequest& request);

/// Compares with the database: fills in state, reason, will_run. A finished cell whose files are gone or of another
/// size will run again.
void compare_with_store(Plan& plan, const Store* store);

/// Folder of a cell beneath the experiment's output folder, "cells/0123456789abcdef".
std::filesystem::path cell_folder(std::string_view key);
/// Folder of a model's features, "cache/0123456789abcdef".
std::filesystem::path feature_folder(std::string_view model_key);

/// For people, and as one JSON document.
std::string plan_text(const Plan& plan);
std::string plan_json(const Plan& plan);

}  // namespace nearfar
