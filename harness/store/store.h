#pragma once
/// Everything nearfar remembers, in one SQLite file: experiments, cells, attempts, metrics, scores, artifacts, events.
/// The parent process owns the only writing Store; reports open the same file read-only at any time and never take the
/// write lock. A Store is used by one thread at a time; several Stores (threads, processes) may have one file open.
/// Every call that changes something is one transaction, on disk when the call returns.
/// Failures are Error(store): the file, what is wrong with it, what to do. Measured values are fractions, never
/// percent.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// planned → running → one of the others. Written as "ok", "not-applicable", … in the database.
/// `ok` and `not_applicable` are final; every other state may be claimed (again).
enum class CellState {
  planned,
  running,
  ok,
  failed,
  crashed,
  hung,
  oom,
  timeout,
  nan,
  cancelled,
  invalid,
  not_applicable
};

std::string_view state_name(CellState state);
/// Error(store) for an unknown name.
CellState state_from_name(std::string_view name);

/// One unit of work as planned. Eval cells repeat the identity of their model (training … seed); train cells leave the
/// postprocessor empty.
struct CellRecord {
  std::string key;        ///< SHA-256 in hex of everything that can change the result
  std::string kind;       ///< "train" or "eval"
  std::string train_key;  ///< eval: its train cell, put before it; "" = a model made elsewhere
  std::string label;      ///< for people: "ce/resnet8/s0 knn"
  std::string benchmark;  ///< with data_hash: a benchmark already put
  std::string data_hash;
  std::string architecture;
  std::string head;
  std::string training;         ///< key of the loss
  std::string training_params;  ///< canonical "k=v;k=v", only what differs from the recipe or the default
  std::string recipe;
  std::int64_t seed = 0;
  std::string postprocessor;
  std::string postprocessor_params;  ///< canonical "k=v;k=v"
  std::string config_json;           ///< the full canonical identity that was hashed
  std::string flags;                 ///< "" or canonical "count-mismatch;partial"
};

struct BenchmarkSet {
  std::string name;
  std::string group;  ///< near, far, control, csid or id
  std::string role;   ///< a few words for people, may be empty: "uniform noise, must be easy"
  std::int64_t image_count = 0;
};
struct BenchmarkRecord {
  std::string name;
  std::string data_hash;  ///< of the data manifest
  std::string definition_json;
  std::vector<BenchmarkSet> sets;  ///< in the order in which reports show them
};

struct PluginRecord {
  std::string kind;  ///< "loss" or "postprocessor"
  std::string name, version, source_hash, binary_hash, build_tag;
};

/// Who runs a cell and with what.
struct RunContext {
  std::string owner;  ///< owner_of_this_process(), or "host:pid"
  std::string device = "cpu";
  int threads = 1;
  std::string engine_version;
  std::string numerics;        ///< numerics version
  std::string log_file;        ///< may be empty
  std::int64_t plugin_id = 0;  ///< from put_plugin: the loss (train) or postprocessor (eval) that really ran; 0 = none
};

struct MetricRow {
  std::string protocol;  ///< ood, fsood
  std::string group;     ///< near, far, control or id
  std::string dataset;   ///< a set's name; for accuracy "test" (ood) or "test+csid" (fsood)
  std::string metric;    ///< auroc, fpr95, aupr_in, aupr_out, accuracy
  double value = 0;      ///< in [0, 1]
};
struct ScoreSetRow {
  std::string set;  ///< "test", "near/NAME", …
  std::string path, sha256;
  std::int64_t count = 0;  ///< number of scores
};
struct ArtifactRow {
  std::string name;  ///< "checkpoint"
  std::string path, sha256;
  std::int64_t bytes = 0;
};
struct CurvePoint {
  std::string name;       ///< "train_loss"
  std::int64_t step = 0;  ///< epoch or step
  double value = 0;
};

struct TrainResult {
  double seconds = 0;  ///< wall
  std::int64_t epochs = 0;
  double train_loss = 0;  ///< of the last epoch
  std::optional<double> val_accuracy;
  std::optional<double> test_accuracy;  ///< becomes the metric row (ood, id, test, accuracy)
  std::string classifier;               ///< "linear" or "ncm": what the accuracies were measured with
  std::string flags;                    ///< found out while running; joined to the cell's own
  std::vector<MetricRow> metrics;       ///< further rows, e.g. (fsood, id, test+csid, accuracy)
  std::vector<CurvePoint> curve;
  std::vector<ArtifactRow> artifacts;
};
struct EvalResult {
  double seconds_fit = 0, seconds_score = 0;  ///< wall
  std::string classifier;                     ///< only with accuracy rows below, where no train cell has them
  std::string flags;
  std::vector<MetricRow> metrics;  ///< every OOD set by itself; means are the report's work
  std::vector<ScoreSetRow> scores;
  std::vector<CurvePoint> curve;  ///< the trace of a parameter search: "tune k=50", AUROC on the validation sets
  std::vector<ArtifactRow> artifacts;
};

struct CellStatus {
  std::string key, id;  ///< id: the first 12 digits of the key
  std::string kind, train_key, label, benchmark;
  CellState state = CellState::planned;
  int attempt = 0;                        ///< attempts so far
  std::string message;                    ///< why it failed, or why it does not apply
  std::string owner;                      ///< while running
  std::string log_file;                   ///< of the last attempt
  std::string started_utc, finished_utc;  ///< of the last attempt: "2025-01-31T12:00:00Z" or ""
  double seconds = 0;                     ///< of the last attempt, up to now if it is running
};

struct RunStatus {
  std::int64_t id = 0;
  int attempt = 0;
  CellState state = CellState::planned;
  RunContext context;
  std::string message, started_utc, finished_utc;
  double seconds = 0;
  std::string classifier, flags;
};
/// What `show` prints. Metrics, scores and artifacts are those of the valid run; empty without one.
struct CellDetails {
  CellRecord record;
  CellStatus status;
  std::vector<RunStatus> runs;
  std::vector<MetricRow> metrics;
  std::vector<ScoreSetRow> scores;
  std::vector<CurvePoint> curve;  ///< by step, then name
  std::vector<ArtifactRow> artifacts;
};

struct EventRow {
  std::string time_utc, level, cell_key, message;
};

/// One number of view v_leaderboard: one metric of one valid eval run (or the accuracy of its model), with its
/// provenance.
struct LeaderboardValue {
  std::string training, training_params, architecture, head, recipe, postprocessor, postprocessor_params;
  std::int64_t seed = 0;
  std::string benchmark, data_hash, protocol, group, dataset, metric;
  double value = 0;        ///< fraction
  std::string classifier;  ///< of the model
  std::string flags;       ///< of model, cell and run together, sorted, ';' between
  std::string numerics, engine_version;
  std::string training_version, training_source_hash;  ///< of the loss plugin that ran; "" if unknown
  std::string postprocessor_version, postprocessor_source_hash;
  std::string cell_key;
  std::int64_t run_id = 0;
};

/// "host:pid:start": the start time of the process tells it from a later one with the same number.
std::string owner_of_this_process();

class Store {
 public:
  /// For reading and writing; makes folders, file and schema if needed. Refuses a file that is not ours, newer or
  /// damaged.
  static Store open(const std::filesystem::path& file);
  /// For reading; refuses a file that is not there.
  static Store open_read_only(const std::filesystem::path& file);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();
  const std::filesystem::path& file() const;

  /// Runs `work` as one transaction; an exception undoes all of it. Planning thousands of cells then costs one write to
  /// disk.
  void in_transaction(const std::function<void()>& work);

  // ---- planning; all of it may be repeated ----
  /// The same name and hash give the same id.
  std::int64_t put_experiment(std::string_view name, std::string_view canonical_config, std::string_view config_hash);
  void put_benchmark(const BenchmarkRecord& benchmark);
  std::int64_t put_plugin(const PluginRecord& plugin);
  /// A cell that exists is left as it is; either way the experiment has it afterwards, at place `order`.
  void put_cell(std::int64_t experiment_id, const CellRecord& cell, std::int64_t order);
  /// A planned or failed cell gets a reason instead of a result; a finished or running one is left alone.
  void set_not_applicable(std::string_view key, std::string_view reason);

  // ---- running ----
  /// Takes the cell and starts an attempt: the id of the run. nullopt if the cell is done, or a live process has it.
  std::optional<std::int64_t> claim(std::string_view key, const RunContext& context);
  /// These end a run. Error(store) if the run is no longer the cell's current attempt (fencing): nothing is stored
  /// then.
  void finish_train(std::int64_t run, const TrainResult& result);
  void finish_eval(std::int64_t run, const EvalResult& result);
  /// `state` is one of failed … invalid.
  void fail(std::int64_t run, CellState state, std::string_view message);
  /// Interrupted: the run ends as cancelled, its cell is planned again.
  void hand_back(std::int64_t run, std::string_view message = "interrupted");
  /// An ok cell whose files are gone or wrong: `invalid`, so that it runs again. With a reason for the event log.
  void invalidate(std::string_view key, std::string_view reason);
  /// Cells left running by dead processes of this host are planned again, each with an event. Returns how many.
  int recover_stale();
  void event(std::string_view level, std::string_view cell_key, std::string_view message);

  // ---- reading ----
  std::optional<CellState> state(std::string_view key) const;
  /// In planned order; all cells, or those of the experiments of this name.
  std::vector<CellStatus> cells(std::optional<std::string> experiment = std::nullopt) const;
  /// By key, a prefix of it, or label. nullopt if there is none; Error(config) naming the candidates if there are
  /// several.
  std::optional<CellDetails> find(std::string_view key_or_prefix) const;
  std::vector<EventRow> events(std::size_t newest = 100) const;  ///< oldest first
  std::vector<std::string> experiments() const;                  ///< names, sorted
  std::vector<BenchmarkRecord> benchmarks() const;
  std::vector<PluginRecord> plugins() const;
  /// View v_leaderboard in a fixed order that depends on the results only, not on when or by whom they were made.
  std::vector<LeaderboardValue> leaderboard(std::optional<std::string> experiment = std::nullopt) const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nearfar
