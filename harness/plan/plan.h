#pragma once
/// From an experiment to the cells it consists of, each with its identity. Points of a sweep become lists of what they
/// ask for; what several ask for is there once. Stages: benchmarks, models, cells; each
/// refers to the earlier ones by index, so a Plan is a value that may be copied. Reads configs, data (to hash it) and
/// files of models, and asks the engine what plugins and networks there are; knows no database (work/compare.h) and
/// writes nothing. Safe from any thread.
#include "base/factor.h"
#include "config/experiment.h"
#include "data/benchmark.h"
#include "data/image_set.h"
#include "host/grid.h"
#include "plan/catalog.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// Raised when the same inputs may give other numbers: part of every cell key.
inline constexpr int kNumericsVersion = 5;

/// One unit of work.
struct Cell {
  std::string key = {};       ///< SHA-256 in hex of `identity`
  std::string identity = {};  ///< canonical JSON of everything that can change the result
  std::string label = {};     ///< for people: "ce/resnet8/s0 knn"
  // What work/compare.h finds in the database; until then everything is new.
  std::string state = "planned";
  std::string reason = "new";  ///< why it runs, or why not: "done", "failed before: …", "needs logits; …"
  bool will_run = true;
  bool needed = true;  ///< false: nothing that is to run, or has run, asks for it
};

/// A benchmark with the images that this plan reads of it.
struct BenchmarkPlan {
  Benchmark benchmark = {};
  std::string where = {};  ///< where it is named
  LoadOptions options = {};
  std::vector<ProtocolSpec> protocols = {};  ///< the asked-for ones
  Manifest manifest = {};                    ///< of the sets that are needed
  std::vector<std::string>
      scored_sets;  ///< that an evaluation scores: test, then near, far, csid (of the protocols) and control sets
  std::string identity = {};  ///< hash of what the file says besides its sets: benchmark_identity()
  std::string pixels = {};    ///< canonical JSON: shape, normalisation, number of classes; part of cells' identities

  std::string flags = {};  ///< "count-mismatch;partial" or less: of every cell on it
  /// Sets that only some postprocessors need and that are not there: why. Those postprocessors are not applicable.
  std::map<std::string, std::string> absent = {};

  bool has(std::string_view set) const;  ///< among the manifest's
  /// Error(data) where the manifest lacks it.
  const ManifestEntry& entry(std::string_view set) const;
};

enum class ModelOrigin {
  trained,      ///< by a train cell of this plan
  checkpoint,   ///< weights made elsewhere
  features,     ///< a feature folder
  exported,     ///< a network that torch.export.save wrote
  torchscript,  ///< a network that torch.jit.save wrote
};
std::string_view origin_name(ModelOrigin origin);  ///< "trained", "checkpoint", …

/// One model on one benchmark.
struct ModelPlan {
  ModelOrigin origin = ModelOrigin::trained;
  std::size_t benchmark = 0;
  std::string key = {};    ///< of a trained model: its train cell's; else the hash of its own identity
  std::string label = {};  ///< "ce/resnet8/s0"; with the benchmark's name before it where a plan has several
  std::string note = {};   ///< of a model made elsewhere: where it lies
  bool has_classifier = true;
  bool has_head = true;      ///< and, with a classifier, its weights
  bool has_features = true;  ///< besides logits
  std::int64_t stages = 0;   ///< of a whole network made elsewhere: its maps; of others, their architecture's
  bool measurable = true;    ///< there are labels and features or logits to measure its accuracy with
  std::string architecture = {};
  std::string head = {};      ///< "linear", a projection ("mlp", "linear projection"), or "none"
  std::string training = {};  ///< key of the loss; of a model made elsewhere its label, its training or its file's name
  std::string training_params = {};  ///< canonical, those that are not the default; "file=…" where names are equal
  std::string recipe = {};           ///< its name
  std::int64_t seed = 0;
  std::string flags = {};  ///< of the model and its benchmark
  std::vector<Factor> factors = {};
  std::filesystem::path file = {};          ///< checkpoint: the weights; features: the folder; else the network
  std::string weights = {};                 ///< SHA-256 of a file
  std::string feature_node = {};            ///< exported
  std::vector<std::string> map_nodes = {};  ///< exported
};

struct TrainCell {
  Cell cell = {};
  std::size_t model = 0;
  std::size_t loss = 0;                ///< of Plan::losses
  std::size_t plugin = 0;              ///< of Catalog::plugins
  ParamMap params = {};                ///< complete
  std::filesystem::path initial = {};  ///< weights that it starts from; empty = none
  std::string initial_sha256 = {};
};

/// A postprocessor with its parameters, the same for every model.
struct PostprocessorPlan {
  std::size_t plugin = 0;     ///< of Catalog::plugins
  ParamMap params = {};       ///< complete; with a search, those that are not searched
  ParamGrid grid = {};        ///< not empty: its points are searched on ID val against ood_val
  std::string shown = {};     ///< canonical: what is not the default, and what is searched
  std::string identity = {};  ///< canonical JSON members, for cells' identities
  std::vector<Factor> factors = {};
};

/// One pass of a model over one image set.
struct FeaturesCell {
  Cell cell = {};
  std::size_t model = 0;
  std::string set = {};
};

/// The accuracy of a model's classifier under each protocol, from its features.
struct AccuracyCell {
  Cell cell = {};
  std::size_t model = 0;
};

struct EvalCell {
  Cell cell = {};
  std::size_t model = 0;
  std::size_t postprocessor = 0;  ///< of Plan::postprocessors
  bool applicable = true;
};

/// One point of a sweep: what it sets, and what of the plan it asks for. Points share what is the same.
struct PointPlan {
  std::vector<Factor> settings = {};
  std::vector<std::size_t> benchmarks = {}, losses = {}, postprocessors = {};  ///< of the plan's lists
  std::vector<std::size_t> models = {};
};

/// How long the cells that run will take, by what cells like them took.
struct Estimate {
  double seconds = 0;        ///< wall, of the cells of which something is known
  std::int64_t known = 0;    ///< cells
  std::int64_t unknown = 0;  ///< cells
  std::int64_t runs = 0;     ///< earlier ones that it follows from
  std::size_t jobs = 1;      ///< children at a time
};

struct Plan {
  Experiment experiment = {};  ///< without its points
  /// Experiment::profile with the files of benchmarks and plugin folders: all paths of this machine.
  std::string profile = {};
  Catalog catalog = {};
  std::filesystem::path out = {}, database = {};
  std::vector<std::filesystem::path> plugin_dirs = {};
  std::vector<PointPlan> points = {};  ///< at least one
  std::vector<BenchmarkPlan> benchmarks = {};
  std::vector<LossChoice> losses = {};  ///< of all points, each once
  std::vector<PostprocessorPlan> postprocessors = {};
  std::vector<ModelPlan> models = {};
  std::vector<std::string> notes = {};    ///< for people: what of a sweep has no effect
  std::optional<Estimate> estimate = {};  ///< of work/estimate.h; none: nothing is known, or nothing is to run
  // In the order of models.
  std::vector<TrainCell> trains = {};
  std::vector<FeaturesCell> features = {};
  std::vector<AccuracyCell> accuracies = {};
  std::vector<EvalCell> evals = {};

  const BenchmarkPlan& benchmark_of(const ModelPlan& model) const { return benchmarks[model.benchmark]; }
  const PluginDescription& plugin_of(const PostprocessorPlan& postprocessor) const {
    return catalog.plugins[postprocessor.plugin];
  }

  std::int64_t cell_count() const;  ///< applicable and needed ones
  std::int64_t cells_to_run() const;
  std::int64_t cells_done() const;  ///< of cell_count(): nothing is to be done for them
};

struct PlanRequest {
  Experiment experiment = {};
  std::vector<std::filesystem::path> benchmark_folders = {};  ///< where benchmarks are looked for by name
  std::vector<std::filesystem::path> plugin_dirs = {};
  std::filesystem::path out = {},
                        database = {};  ///< --out, --db; empty = out/NAME of the experiment, results.sqlite beneath it
  bool trust = false;                   ///< --trust: TorchScript, which is code, may run
  ReadingProgress reading = {};         ///< as LoadOptions::reading
};

/// Error(config): unknown names or parameters, with file:line; Error(data): images missing or not as the benchmark
/// says; Error(nothing): no cell is left.
Plan make_plan(const PlanRequest& request, const AskEngine& ask);

/// Sets that a cell looks at besides the scored ones: train, val, ood_val, as the plugin and its search need them; of
/// an accuracy by nearest class mean: train.
std::vector<std::string> fit_sets(const PluginDescription& plugin, const ParamGrid& grid);
std::vector<std::string> accuracy_sets(const Plan& plan, const ModelPlan& model);

/// Folder of a cell beneath an output folder, "cells/0123456789abcdef".
std::filesystem::path cell_folder(std::string_view key);
/// Folder of a model's features, "cache/0123456789abcdef".
std::filesystem::path feature_folder(std::string_view model_key);

}  // namespace nearfar
