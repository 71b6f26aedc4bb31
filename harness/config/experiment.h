#pragma once
/// An experiment as it was asked for: TOML files and command-line overrides, composed, checked and typed.
/// The planner turns it into cells. Plain data; safe to copy and to read from any thread. Torch-free.
///
/// The shape of a file (every key optional but `benchmark` or `benchmarks`):
///
// clang-format off
///   extends = "../recipes/quickstart.toml"   # or a list; relative to this file, which wins; later ones win over earlier
///   name = "quickstart"                      # default: the file's stem
///   recipe = "quickstart"                    # the name of the training recipe, as leaderboards show it
///   benchmark = "fashion-mnist"              # a name or a path to a .toml; several: benchmarks = [...]
///   models = ["resnet8"]                     # networks that are trained
///   protocols = ["ood"]                      # ood, fsood and what else the benchmark has
///   losses = ["ce", "supcon"]                # names with - or _; of several versions: "ce@>=1.2,<2" (base/version.h)
///   postprocessors = ["msp", "knn"]
///   seeds = [0, 1]                           # short for [sweep.replicates] seed = [0, 1]
///   [sweep]                                  # axes over other keys: config/sweep.h
///   device = "cpu"                           # cpu, cuda, cuda:1, cuda:all
///   dtype = "float32"
///   out = "out/quickstart"
///   tune = "openood"                         # or "none": do postprocessors search their parameters on the validation sets
///   [data]   root, allow_count_mismatch, limit, on_unreadable, follow_links, identity, packed
///   [model]  name; a model made elsewhere: checkpoint, features, file (feature_node, map_nodes) or torchscript, and
///            training, label, seed.  [[model]]: several
///   [train]  the keys of TrainRecipe
///   [loss.NAME]           parameters of the plugin;  [loss.NAME.train] what differs from [train] for this loss
///   [postprocessor.NAME]  parameters of the plugin; tune = "openood", "none" or { k = [5, 50] }, and search: config/tune.h
///   [run]    jobs, threads, loader_threads, timeout_seconds, hung_seconds, memory_limit, retries,
///            deterministic, nproc, tensorboard, ood_val, evaluate
// clang-format on
///
/// Sections of plugins that the lists do not name are allowed: a recipe may hold the settings of many.
#include "base/factor.h"
#include "base/version.h"
#include "config/halving.h"
#include "config/recipe.h"
#include "config/tune.h"

#include <nearfar/params.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// Name of a parameter → "file:line:column" where it was set, for messages about it.
using ParamWhere = std::map<std::string, std::string, std::less<>>;

struct LossChoice {
  std::string name;  ///< plugin_key() form
  ParamMap params;   ///< as written, not yet checked against the plugin's table
  ParamWhere param_where;
  TrainRecipe recipe;            ///< [train] with the overrides of [loss.NAME.train]
  std::string where;             ///< where the list names it
  std::string requirement = {};  ///< of its version, "" = none: base/version.h

  std::string wanted() const { return WantedPlugin{name, requirement}.text(); }
};

struct PostprocessorChoice {
  std::string name;
  ParamMap params;
  ParamWhere param_where;
  std::string where;
  TuneChoice tune = {};
  std::string requirement = {};  ///< as LossChoice::requirement

  std::string wanted() const { return WantedPlugin{name, requirement}.text(); }
};

/// A model that somebody else made: weights, features, or a whole network. Exactly one of the four paths.
struct ForeignModel {
  /// A weights file, a folder (perhaps with one for each seed: OpenOOD's s0, s1, …) or a pattern (runs/*/best.ckpt);
  /// key `checkpoint`, of which a list is so many entries.
  std::filesystem::path checkpoint;
  std::filesystem::path features;          ///< a feature folder
  std::filesystem::path file = {};         ///< what torch.export.save wrote (.pt2)
  std::filesystem::path torchscript = {};  ///< what torch.jit.save wrote: code
  std::string feature_node = {};  ///< of `file`: the value that is the feature; "" = what enters the last layer
  std::vector<std::string> map_nodes = {};  ///< of `file`: values that are the maps of stages
  std::string architecture;                 ///< key `name`; "" = the one that the weights fit, the stem of `file`
  std::string training = "unknown";         ///< what leaderboards call it, if `label` is empty
  std::string label;                        ///< what leaderboards call it; changes no result
  std::optional<std::int64_t> seed;         ///< default: the number of the s* folder, else 0
  std::string where;
};

/// A name and where it was written.
struct NamedAt {
  std::string name, where;
};

struct Point;

/// More points than that are a mistake until somebody says otherwise.
inline constexpr std::int64_t kMaxCells = 10'000;

struct Experiment {
  std::string name;
  std::string recipe = "default";
  std::vector<NamedAt> benchmarks;  ///< names or paths; at least one, none twice
  std::vector<std::string> protocols = {"ood"};
  std::vector<std::string> networks = {"resnet8"};  ///< key `models`: architectures that are trained
  std::vector<ForeignModel> foreign;                ///< key `model`: stand in for training; then `losses` is empty
  std::optional<ForeignModel>
      initial;                     ///< what recipes with `start = "checkpoint"` start from; then `foreign` is empty
  std::vector<LossChoice> losses;  ///< in the order of the list, nothing twice
  std::vector<PostprocessorChoice> postprocessors;
  std::vector<std::int64_t> seeds = {0};
  TrainRecipe train;                   ///< [train] alone
  std::filesystem::path data_root;     ///< key `data.root`; empty = the benchmark's default folders
  bool allow_count_mismatch = false;   ///< key `data.allow_count_mismatch`
  std::string on_unreadable = "fail";  ///< key `data.on_unreadable`: "fail" or "skip"
  bool follow_links = false;           ///< key `data.follow_links`
  std::string identity = "contents";   ///< key `data.identity`: "contents" or "stat" (data/image_set.h)
  std::filesystem::path packed;        ///< key `data.packed`
  std::int64_t limit = 0;      ///< key `data.limit`: at most so many images a set; 0 = all. A limited result is partial
  std::string device = "cpu";  ///< "cpu", "cuda", "cuda:1" or "cuda:all"
  std::string dtype = "float32";
  bool deterministic = true;
  std::int64_t jobs = 0;     ///< child processes at a time; 0 = one a core, or one a device
  std::int64_t threads = 1;  ///< threads of a child
  std::int64_t loader_threads =
      0;                          ///< of a child, that read and decode; 0 = `threads`, with a GPU a share of the cores
  double timeout_seconds = 0;     ///< of a cell; 0 = none
  double hung_seconds = 3600;     ///< without a sign of life, and a cell is hung; 0 = never
  std::int64_t memory_limit = 0;  ///< key `run.memory_limit`: bytes of a child with what it starts; 0 = none
  std::int64_t retries = 1;       ///< of a cell that crashed, hung or ran out of memory, within one run
  std::int64_t nproc = 1;         ///< key `run.nproc`: processes that train one model together
  bool ood_val = false;           ///< key `run.ood_val`: the AUROC against the set `ood_val` after every epoch, a curve
  bool tensorboard = false;       ///< key `run.tensorboard`: event files of trainings beside their checkpoints
  bool evaluate = true;           ///< key `run.evaluate`: else models are trained, and that is all
  std::filesystem::path out;      ///< default out/NAME, relative to the working folder
  /// Of a sweep (config/sweep.h): every combination, an experiment of its own. Empty without one. This experiment is
  /// then like the first of them; [data], [run], device, models made elsewhere and protocols are the same in all.
  std::vector<Point> points;
  std::string sweep;  ///< its mode; empty without one
  /// The points are trials of a search, which no one plan is: what is planned are its rounds (round_experiment()).
  std::optional<Halving> halving;
  std::string round;  ///< of a stored round: "2 of 3"; else empty
  /// By [[sweep.exclude]]: where it is written, and how many points it left out.
  std::vector<std::pair<std::string, std::int64_t>> excluded;
  std::string canonical;  ///< see canonical_text()
  std::string hash;       ///< SHA-256 of `canonical`
  std::string composed;   ///< the composed tables as TOML, without paths of this machine
  std::string profile;    ///< those paths as TOML (profile.h)
};

struct Point {
  std::vector<Factor> settings;  ///< what the axes set, by key; empty: the experiment as it is
  Experiment experiment;
};

/// Reads and composes `files` (later wins; sweep.resolved, of a stored experiment, is taken as it is; none: the
/// overrides, `name` among them, say everything), applies `overrides` from left to right, checks every key, type and
/// range.
///   key.sub=value   sets; the value is read as TOML, and as text where it is not TOML (`device=cpu`)
///   losses=ce,knn   for keys that hold lists, the comma separates elements
///   train.lr=0.1,1  for others it adds an axis to the sweep, and so does train.epochs=range(50, 150, 50); one value
///                   fixes what was an axis
///   +key=value      sets a key that is not set yet;  ~key  removes one that is
/// Throws Error(config) with "file:line:column: …" or the override's text, what was expected and the nearest known key;
/// Error(data) for a file that cannot be read.
/// A sweep with more than `max_cells` cells (trainings and evaluations, before those that are the same are counted
/// once) is refused before they are made.
Experiment load_experiment(const std::vector<std::filesystem::path>& files,
                           const std::vector<std::string>& overrides = {}, std::int64_t max_cells = kMaxCells);

/// The same from what an earlier load_experiment() left in `composed` and `profile` (perhaps on another machine):
/// nothing else is read. Paths in the profile are absolute, but for that the experiment is equal.
Experiment load_composed_experiment(std::string_view composed, std::string_view profile);

/// The name of a benchmark without the folder it lies in, in plugin_key()'s form.
std::string benchmark_key(const std::string& benchmark);

/// JSON with sorted keys of everything that can change a result and that the config knows: names, parameters, recipes,
/// seeds, dtype, limit. Not in it: paths, device, jobs, threads, loader_threads, timeout, limits, retries, settings of
/// plugins that are not used. Key order and the split over files do not matter.
std::string canonical_text(const Experiment& experiment);

}  // namespace nearfar
