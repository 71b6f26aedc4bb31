#pragma once
/// What the parent gives an engine to do: the document on its stdin (docs/engine-protocol.md). Plain values.
/// Paths are absolute unless it says otherwise; an empty one is none.
#include "wire/fields.h"

namespace nearfar::wire {

/// An image set as the plan saw it.
struct SetRef {
  std::string name = {}, hash = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("hash", m.hash);
  }
};

/// Where images come from and how they are read.
struct Images {
  std::string benchmark = {};  ///< its .toml
  std::string identity =
      {};  ///< hash of what it says besides its sets (plan/identity.h); an edited file is noticed by it
  std::string root = {}, packed = {};
  std::int64_t limit = 0;
  bool allow_count_mismatch = false, follow_links = false;
  std::string on_unreadable = "fail";
  std::string data_identity = "contents";
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("benchmark", m.benchmark);
    visit("identity", m.identity);
    visit("root", m.root);
    visit("packed", m.packed);
    visit("limit", m.limit);
    visit("allow_count_mismatch", m.allow_count_mismatch);
    visit("follow_links", m.follow_links);
    visit("on_unreadable", m.on_unreadable);
    visit("data_identity", m.data_identity);
  }
};

/// With what is computed.
struct Compute {
  std::string device = "cpu";
  std::int64_t threads = 1;
  std::int64_t loader_threads = 1;  ///< that read and decode images
  bool deterministic = true;
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("device", m.device);
    visit("threads", m.threads);
    visit("loader_threads", m.loader_threads);
    visit("deterministic", m.deterministic);
  }
};

struct Plugin {
  std::string path = {}, name = {};
  std::string source_hash = {};  ///< as planned
  ParamMap params = {};          ///< complete; with a grid, those that are not searched
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("path", m.path);
    visit("name", m.name);
    visit("source_hash", m.source_hash);
    visit("params", m.params);
  }
};

/// A train cell.
struct TrainJob {
  std::string cell = {};   ///< its key
  std::string label = {};  ///< for progress and logs
  Images images = {};
  std::vector<SetRef> sets = {};  ///< train, val where the benchmark has it, ood_val if its AUROC is wanted
  Plugin loss = {};
  std::string architecture = {};
  TrainRecipe recipe = {};
  std::string initial = {};         ///< weights that it starts from
  std::string initial_sha256 = {};  ///< as planned
  std::string mappings = {};        ///< folder of configs/models, where there is `initial`
  std::int64_t seed = 0;
  Compute compute = {};
  std::int64_t ranks = 1;  ///< processes that train together on this machine; 0 = as torchrun or srun has started them
  bool tensorboard = false;  ///< event files too, in `folder`/tensorboard
  std::string out = {};      ///< what paths of artifacts are relative to
  std::string folder = {};   ///< of the cell, beneath `out`: checkpoints
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("label", m.label);
    visit("images", m.images);
    visit("sets", m.sets);
    visit("loss", m.loss);
    visit("architecture", m.architecture);
    visit("recipe", m.recipe);
    visit("initial", m.initial);
    visit("initial_sha256", m.initial_sha256);
    visit("mappings", m.mappings);
    visit("seed", m.seed);
    visit("compute", m.compute);
    visit("ranks", m.ranks);
    visit("tensorboard", m.tensorboard);
    visit("out", m.out);
    visit("folder", m.folder);
  }
};

/// Where the engine finds a network, or its features.
struct Model {
  std::string origin = {};        ///< "trained" (our checkpoint), "checkpoint" (a foreign weights file), "features" (a
                                  ///< feature folder), "exported" (a .pt2), "torchscript" (which --trust allowed)
  std::string file = {};          ///< the weights, the network; of features: the folder
  std::string sha256 = {};        ///< of foreign weights, as planned; else ""
  std::string architecture = {};  ///< of foreign weights; else ""
  std::string mappings = {};      ///< folder of key mappings, for foreign weights
  std::string features = {};      ///< folder of its features; of features: the same as `file`
  std::string feature_node = {};  ///< of an exported network; "" = what enters its last linear layer
  std::vector<std::string> map_nodes = {};  ///< of an exported network
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("origin", m.origin);
    visit("file", m.file);
    visit("sha256", m.sha256);
    visit("architecture", m.architecture);
    visit("mappings", m.mappings);
    visit("features", m.features);
    visit("feature_node", m.feature_node);
    visit("map_nodes", m.map_nodes);
  }
};

struct Protocol {
  std::string name = {};
  std::vector<std::string> csid = {};  ///< sets pooled with `test`
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("csid", m.csid);
  }
};

/// A features cell: one pass of the model over one image set.
struct PassCell {
  std::string cell = {};  ///< "" = the set is known to be there; the network sees it again only where a method that
                          ///< looks inside needs it
  SetRef set = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("set", m.set);
  }
};

/// An accuracy cell. At most one a job.
struct AccuracyCell {
  std::string cell = {};
  std::string folder = {};  ///< beneath `out`: quality.json
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("folder", m.folder);
  }
};

struct EvalCell {
  std::string cell = {};
  Plugin postprocessor = {};
  std::string grid = {};    ///< host/grid.h's text; "" = nothing is searched
  std::string folder = {};  ///< beneath `out`: scores/SET.npy, tune.json
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("postprocessor", m.postprocessor);
    visit("grid", m.grid);
    visit("folder", m.folder);
  }
};

/// One model's cells.
struct EvalJob {
  std::string label = {};  ///< of the model
  Images images = {};
  Compute compute = {};
  std::string out = {};           ///< what paths of accuracy and eval cells are relative to
  std::string features_out = {};  ///< what paths of features cells are relative to
  Model model = {};
  std::vector<PassCell> fit_sets = {};    ///< train, val, ood_val, as the cells need them
  std::vector<PassCell> score_sets = {};  ///< test, near, far, csid, control
  std::vector<Protocol> protocols = {};
  std::optional<AccuracyCell> accuracy = {};
  std::vector<EvalCell> cells = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("label", m.label);
    visit("images", m.images);
    visit("compute", m.compute);
    visit("out", m.out);
    visit("features_out", m.features_out);
    visit("model", m.model);
    visit("fit_sets", m.fit_sets);
    visit("score_sets", m.score_sets);
    visit("protocols", m.protocols);
    visit("accuracy", m.accuracy);
    visit("cells", m.cells);
  }
};

/// A loss with parameters whose traits are asked for.
struct LossQuery {
  std::string name = {};  ///< perhaps with a requirement: "ce@>=1.2"
  ParamMap params = {};   ///< as written; the engine validates and fills in
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("params", m.params);
  }
};

/// Every plugin on the search path. → Inspection
struct InspectJob {
  std::vector<std::string> directories = {};  ///< --plugin-dir's, then the project's
  std::string installed = {};
  std::vector<LossQuery> losses = {};  ///< traits are told for these
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("directories", m.directories);
    visit("installed", m.installed);
    visit("losses", m.losses);
  }
};

/// What a weights file holds. → WeightsFacts. With `output` (verb `import`): the network is written there as our
/// checkpoint.
struct WeightsJob {
  std::string file = {}, architecture = {}, mappings = {};
  std::int64_t height = 0, width = 0, channels = 3;
  std::string output = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("file", m.file);
    visit("architecture", m.architecture);
    visit("mappings", m.mappings);
    visit("height", m.height);
    visit("width", m.width);
    visit("channels", m.channels);
    visit("output", m.output);
  }
};

/// A network that Python made, looked at. → NetworkFacts
struct NetworkJob {
  std::string origin = {};  ///< "exported" or "torchscript"
  std::string file = {}, feature_node = {};
  std::vector<std::string> map_nodes = {};
  std::int64_t channels = 0, height = 0, width = 0;  ///< of the images it will see; 0 = as an export says
  std::string inputs = {}, logits = {};              ///< .npy to compare with, "" = none
  bool nodes = false;                                ///< list them
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("origin", m.origin);
    visit("file", m.file);
    visit("feature_node", m.feature_node);
    visit("map_nodes", m.map_nodes);
    visit("channels", m.channels);
    visit("height", m.height);
    visit("width", m.width);
    visit("inputs", m.inputs);
    visit("logits", m.logits);
    visit("nodes", m.nodes);
  }
};

/// A postprocessor on an image set of a feature folder → a score file. → ScoreFacts
struct ScoreJob {
  std::string name = {};                      ///< perhaps with a requirement: "knn@>=1.2"
  std::vector<std::string> directories = {};  ///< as InspectJob's
  std::string installed = {};
  std::string features = {}, set = {};
  std::vector<std::string> assignments = {};  ///< "k=50"
  std::string output = {};
  Compute compute = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("directories", m.directories);
    visit("installed", m.installed);
    visit("features", m.features);
    visit("set", m.set);
    visit("assignments", m.assignments);
    visit("output", m.output);
    visit("compute", m.compute);
  }
};

/// A loss plugin on one batch of numbers → its gradients and its value. → LossFacts. For tests of plugins: nothing is
/// trained. The files of the batch are what LossInput's members are (unit rows where the loss's traits ask for them are
/// the caller's to make); with wants_class_means start() is given this batch's means.
struct LossJob {
  std::string name = {};
  std::vector<std::string> directories = {};
  std::string installed = {};
  std::vector<std::string> assignments = {};  ///< "temperature=0.1"
  std::int64_t classes = 0;
  std::int64_t seed = 0;                                     ///< of LossSetup
  std::string output = {}, labels = {};                      ///< .npy to read
  std::string features = {};                                 ///< .npy to read, "" = undefined
  std::string output_gradient = {}, features_gradient = {};  ///< .npy to write, "" = not wanted
  Compute compute = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("directories", m.directories);
    visit("installed", m.installed);
    visit("assignments", m.assignments);
    visit("classes", m.classes);
    visit("seed", m.seed);
    visit("output", m.output);
    visit("labels", m.labels);
    visit("features", m.features);
    visit("output_gradient", m.output_gradient);
    visit("features_gradient", m.features_gradient);
    visit("compute", m.compute);
  }
};

/// Of the verbs `models` and `doctor`, which ask for nothing.
struct Nothing {
  template <class Visit, class Self>
  static void fields(Visit&&, Self&) {}
};

}  // namespace nearfar::wire
