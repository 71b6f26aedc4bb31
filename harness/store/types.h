#pragma once
/// What the database holds, as plain values: cells, attempts, what they measured. Shared by planning.h, queue.h and
/// results.h. Measured values are fractions, never percent, unless a unit stands beside them. Safe to copy, safe from
/// any thread.
#include "base/factor.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// planned → running → one of the others. Written as "ok", "not-applicable", … in the database.
/// `ok` and `not_applicable` are final; every other state may be planned and claimed again.
enum class CellState {
  planned,
  running,
  ok,
  failed,
  crashed,
  timeout,
  nan,
  oom,
  hung,
  cancelled,
  invalid,
  not_applicable
};

/// failed … invalid: ended without a result; nobody claims it until it is planned again.
constexpr bool is_failure(CellState state) { return state >= CellState::failed && state <= CellState::invalid; }
std::string_view state_name(CellState state);
/// Error(store) for an unknown name.
CellState state_from_name(std::string_view name);

enum class CellKind {
  train,     ///< a loss trains a network
  features,  ///< one pass of a model over one image set
  accuracy,  ///< the model's classifier on the ID test images, from features
  eval,      ///< a postprocessor on a model
};
std::string_view kind_name(CellKind kind);  ///< "train", "features", "accuracy", "eval"
CellKind cell_kind_from_name(std::string_view name);

/// One unit of work as planned. Cells of a model repeat its identity (training … seed); only eval cells have a
/// postprocessor.
struct CellRecord {
  std::string key = {};  ///< SHA-256 in hex of everything that can change the result
  CellKind kind = CellKind::eval;
  std::string model_key = {};  ///< of the model: a train cell's own key; of a model made elsewhere, its identity's hash
  /// of a trained model: its train cell, put before; "" for train cells and models made elsewhere
  std::string train_key = {};
  std::string label = {};      ///< for people: "ce/resnet8/s0 knn"
  std::string benchmark = {};  ///< with data_hash: a benchmark already put
  std::string data_hash = {};
  std::string architecture = {};
  std::string head = {};      ///< "linear", or the projection of an embedding: "mlp", "linear projection", "none"
  std::string training = {};  ///< key of the loss
  std::string training_params = {};  ///< canonical "k=v;k=v": parameters of the loss that are not the default
  std::string recipe = {};           ///< name of the recipe, for people: what it says is in the factors
  std::int64_t seed = 0;
  std::string image_set = {};  ///< of a features cell: "train", "near/NAME"
  std::string postprocessor = {};
  std::string postprocessor_params = {};  ///< canonical "k=v;k=v"
  std::string identity_json = {};         ///< the canonical identity that was hashed
  std::string flags = {};                 ///< "" or canonical "count-mismatch;partial"
  /// sorted by name. Of train cells those of the model; of eval cells those of the postprocessor alone
  std::vector<Factor> factors = {};
};

struct BenchmarkSet {
  std::string name = {};
  std::string group = {};  ///< near, far, control, csid or id
  std::string role = {};   ///< a few words for people, may be empty: "uniform noise, must be easy"
  std::int64_t image_count = 0;
};
struct BenchmarkRecord {
  std::string name = {};
  std::string data_hash = {};  ///< of the data manifest
  std::string definition_json = {};
  std::vector<BenchmarkSet> sets = {};  ///< in the order in which reports show them
};

struct PluginRecord {
  std::string kind = {};  ///< "loss" or "postprocessor"
  std::string name = {}, version = {}, source_hash = {}, binary_hash = {}, build_tag = {};
  std::string tier = "exact";  ///< "exact", "stable" or "c"; follows from the binary, so no part of what is unique
};

/// An experiment as asked for. `composed` and `profile` together are enough to make its plan again, on this machine or
/// another.
struct ExperimentRecord {
  std::string name = {};
  std::string canonical = {};  ///< experiment.h's canonical_text()
  std::string hash = {};       ///< of it
  std::string composed = {};   ///< the composed TOML, without paths of a machine
  std::string profile = {};    ///< the paths, as TOML: data.root, model files, plugin folders, benchmark files
  std::int64_t id = 0;         ///< what put_experiment() returned; it does not read it
};

/// Who runs a cell and with what.
struct RunContext {
  std::string owner = {};  ///< owner_of_this_process() of store/process.h
  std::string device = "cpu";
  int threads = 1;
  std::string engine_version = {};
  std::string numerics = {};   ///< numerics version
  std::string log_file = {};   ///< beneath the location; may be empty
  std::int64_t location = 0;   ///< from put_location: where log and artifacts lie; 0 = none
  std::int64_t plugin_id = 0;  ///< from put_plugin: the loss (train) or postprocessor (eval) that runs; 0 = none
  std::int64_t lease_seconds =
      120;  ///< how long the claim holds without a heartbeat where nobody can see whether the owner lives
};

struct MetricRow {
  std::string protocol = {};  ///< ood, fsood
  std::string group = {};     ///< near, far, control or id
  std::string dataset = {};   ///< a set's name; for accuracy "test" (ood) or "test+csid" (fsood)
  std::string metric = {};    ///< auroc, fpr95, aupr_in, aupr_out, accuracy
  double value = 0;           ///< in [0, 1]
};
/// A measured value that is no fraction of a protocol: ("test", "nll", "nat", 0.31), ("test", "ece", "fraction", 0.02).
struct MeasureRow {
  std::string set = {}, name = {}, unit = {};
  double value = 0;
};
struct ScoreSetRow {
  std::string set =
      {};  ///< of eval cells "test", "near/NAME", …; of accuracy cells "correct/test", "correct/csid/NAME"
  std::string path = {}, sha256 = {};  ///< path beneath the run's location
  std::int64_t count = 0;              ///< number of scores, or of marks: uint8, 1 = right, 0 = wrong
};
struct ArtifactRow {
  std::string name = {};               ///< "checkpoint", "last", "quality", "tune", "features"
  std::string path = {}, sha256 = {};  ///< path beneath the run's location
  std::int64_t bytes = 0;
};
struct CurvePoint {
  std::string name = {};  ///< "train_loss", "learning_rate", "val_accuracy"
  std::int64_t step = 0;  ///< epoch or step
  double value = 0;
};
/// One point of a parameter search.
struct TunePoint {
  std::string params = {};           ///< canonical
  std::optional<double> auroc = {};  ///< on the validation sets; none where the plugin refused the point
  std::string refused = {};          ///< why
  bool chosen = false;
};
/// What one image set cost one model, in images: through the network unchanged, through a backward pass, changed images
/// or parts of the network; `float64` is all of these through its float64 copy.
struct PassRow {
  std::string set = {};
  std::int64_t forward = 0, gradients = 0, changed = 0, float64 = 0;
};

/// What an attempt leaves behind; what does not apply to the cell's kind stays empty.
struct Outcome {
  std::string classifier = {};  ///< "linear" or "ncm": what accuracies were measured with
  std::string flags = {};       ///< found out while running; joined to the cell's own
  std::optional<double> train_seconds = {}, fit_seconds = {}, score_seconds = {};  ///< wall
  std::optional<std::int64_t> epochs = {};
  std::optional<double> train_loss = {};    ///< of the last epoch
  std::optional<double> val_accuracy = {};  ///< fraction
  std::vector<MetricRow> metrics = {};      ///< every OOD set by itself; means are the report's work
  std::vector<MeasureRow> measures = {};
  std::vector<ScoreSetRow> scores = {};
  std::vector<CurvePoint> curve = {};
  std::vector<TunePoint> tune = {};  ///< in the order of the search
  std::vector<PassRow> passes = {};
  std::vector<ArtifactRow> artifacts = {};
};

}  // namespace nearfar
