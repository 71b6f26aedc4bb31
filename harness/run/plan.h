#pragma once
/// From an experiment to the cells it consists of, each with its identity, and what the database already knows of them.
/// Reads configs, data (to hash it) and the database; writes nothing.
#include "config/experiment.h"
#include "data/benchmark.h"
#include "data/image_set.h"
#include "run/catalog.h"
#include "store/store.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// Raised when the same inputs may give other numbers: part of every cell key.
inline constexpr int kNumericsVersion = 1;

struct PlannedCell {
  CellRecord record;
  CellState state = CellState::planned;  ///< of the database; planned if it is new
  std::string reason;                    ///< why it runs, or why not: "new", "done", "failed before: …", "needs logits; …"
  bool will_run = false;
};

struct PlannedEval {
  PlannedCell cell;
  const PluginDescription* plugin = nullptr;  ///< of Plan::catalog
  ParamMap params;                            ///< complete
  bool applicable = true;
};

/// One model: a train cell and the eval cells on it.
struct PlannedModel {
  PlannedCell cell;
  const LossChoice* loss = nullptr;           ///< of Plan::experiment
  const PluginDescription* plugin = nullptr;  ///< of Plan::catalog
  ParamMap params;                            ///< complete
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
  /// Sets that an evaluation scores: test, then near, far, csid (with fsood) and control sets in the benchmark's order.
  std::vector<std::string> scored_sets() const;
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

/// Error(config): unknown names or parameters, with file:line; Error(data): images missing or not as the benchmark says; Error(nothing): no
/// cell is left. `store` may be null: nothing has been run yet.
Plan make_plan(const PlanRequest& request);

/// Compares with the database: fills in state, reason, will_run. A finished cell whose files are gone or of another size will run again.
void compare_with_store(Plan& plan, const Store* store);

/// Folder of a cell beneath the experiment's output folder, "cells/0123456789abcdef".
std::filesystem::path cell_folder(std::string_view key);
/// Folder of a model's features, "cache/0123456789abcdef".
std::filesystem::path feature_folder(std::string_view train_key);

/// For people, and as one JSON document.
std::string plan_text(const Plan& plan);
std::string plan_json(const Plan& plan);

}  // namespace nearfar
