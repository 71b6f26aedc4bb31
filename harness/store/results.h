#pragma once
/// The reading side of the database: for status, show, export and reports. Never takes the write lock. Implemented by
/// store/session.h. One thread at a time. Failures are Error(store).
#include "store/types.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct CellStatus {
  std::string key = {}, id = {};  ///< id: the first 12 digits of the key
  CellKind kind = CellKind::eval;
  std::string model_key = {}, train_key = {}, label = {}, benchmark = {}, image_set = {};
  CellState state = CellState::planned;
  int attempt = 0;                                  ///< attempts so far
  std::string message = {};                         ///< why it failed, or why it does not apply
  std::string owner = {};                           ///< while running
  std::string log_file = {};                        ///< of the last attempt, with its location's folder
  std::string started_utc = {}, finished_utc = {};  ///< of the last attempt: "2025-01-31T12:00:00Z" or ""
  double seconds = 0;                               ///< of the last attempt, up to now if it is running
};

struct RunStatus {
  std::string uid = {};
  int attempt = 0;
  CellState state = CellState::planned;
  RunContext context = {};
  std::string location = {};  ///< folder; "" = none
  std::string message = {}, started_utc = {}, finished_utc = {};
  double seconds = 0;
  std::optional<PluginRecord> plugin = {};  ///< the loss or postprocessor that ran
};

/// What `show` prints.
struct CellDetails {
  CellRecord record = {};
  std::vector<Factor> factors = {};  ///< of the cell and its model, sorted by name
  CellStatus status = {};
  std::vector<RunStatus> runs = {};       ///< by attempt
  std::optional<PluginRecord> loss = {};  ///< that trained the model; none: not trained by nearfar, or not yet
  Outcome outcome = {};                   ///< of the valid run; empty without one
  std::filesystem::path location = {};    ///< of the valid run: what its paths lie beneath; empty without one
  /// Factors in which cells of the same label differ from this one ("train.epochs"), besides "benchmark" and "data":
  /// name, value here ("" = not set), values there.
  struct Difference {
    std::string name = {}, here = {};
    std::vector<std::string> elsewhere = {};
  };
  std::vector<Difference> differences = {};
};

struct EventRow {
  std::string time_utc = {}, level = {}, cell_key = {}, message = {};
};

/// How many cells of each state and kind, of all experiments or of one. Quick for any number of cells.
struct CellCount {
  CellKind kind = CellKind::eval;
  CellState state = CellState::planned;
  std::int64_t count = 0;
};

/// One valid eval cell of the frame below: what it is, and with what it was made.
struct ResultSubject {
  std::string cell_key = {}, run_uid = {};  ///< a later run has a larger uid
  std::string model_key = {};
  std::string accuracy_key = {};  ///< of the accuracy cell whose numbers it has; "" without one
  std::string benchmark = {}, data_hash = {};
  std::string training = {}, training_params = {}, architecture = {}, head = {}, recipe = {}, postprocessor = {},
              postprocessor_params = {};
  std::int64_t seed = 0;
  std::vector<Factor> factors = {};  ///< of cell and model, sorted by name
  std::string classifier = {};       ///< of the model's accuracy
  std::string flags = {};  ///< of model (with its passes over the same data), cell and runs together, canonical
  std::string numerics = {}, engine_version = {};
  std::string training_version = {}, training_source_hash = {};  ///< of the loss plugin that ran; "" if unknown
  std::string postprocessor_version = {}, postprocessor_source_hash = {};
  /// Wall seconds: of training the model (nullopt: made elsewhere), of fit, of scoring all sets.
  std::optional<double> train_seconds = {}, fit_seconds = {}, score_seconds = {};
  std::string device = {};  ///< that scored, "cpu"
  int threads = 1;
  bool tuned = false;  ///< parameters were chosen on the validation sets
};

/// One number of one subject.
struct ResultValue {
  std::size_t subject = 0;  ///< index into ResultsFrame::subjects
  std::string protocol = {}, group = {}, dataset = {}, metric = {};
  double value = 0;  ///< fraction
};

/// Everything that reports are made of, in a fixed order that depends on the results only, not on when or by whom they
/// were made: subjects by benchmark, data_hash, training, …, seed, cell key; values by subject, protocol, group,
/// dataset, metric. A subject's own accuracy is the one of its run where it brought one, else its model's (accuracy
/// cell on the same data, or the only one on a benchmark of this name; else the train run of databases of version 1).
struct ResultsFrame {
  std::vector<ResultSubject> subjects = {};
  std::vector<ResultValue> values = {};
};

/// What finished runs of one kind of cell took, added up.
struct CostRow {
  CellKind kind = CellKind::eval;
  std::string benchmark = {}, data_hash = {}, flags = {}, architecture = {};
  std::string what = {};    ///< the loss of a train cell, the set of a features cell, the postprocessor of an eval cell
  std::string params = {};  ///< of the loss or postprocessor, canonical
  std::string device = {};
  int threads = 1;
  std::int64_t runs = 0;
  double seconds = 0;       ///< of all of them: from the start, or from when the engine had finished its cell before
  std::int64_t epochs = 0;  ///< of train cells
};

class ResultStore {
 public:
  virtual ~ResultStore() = default;

  virtual std::optional<CellState> state(std::string_view key) const = 0;
  virtual std::vector<CellCount> counts(std::optional<std::string> experiment = std::nullopt) const = 0;
  /// Cells that the newest config of some experiment still has and that are planned or running: those of abandoned
  /// configs are not waited for.
  virtual std::int64_t waiting_count(std::optional<std::string> experiment = std::nullopt) const = 0;
  /// In planned order; all cells (those that no experiment has any more come last), or those of the experiments of this
  /// name, whatever their config; only those in one of `states` where it is not empty.
  virtual std::vector<CellStatus> cells(std::optional<std::string> experiment = std::nullopt,
                                        std::vector<CellState> states = {}) const = 0;
  /// By key, a prefix of it, or label. nullopt if there is none; Error(config) naming the candidates, and the factors
  /// in which they differ, if there are several.
  virtual std::optional<CellDetails> find(std::string_view key_or_prefix) const = 0;
  virtual std::vector<EventRow> events(std::size_t newest = 100) const = 0;  ///< oldest first
  virtual std::vector<std::string> experiments() const = 0;                  ///< names, sorted
  /// The newest experiment of this name. nullopt: there is none.
  virtual std::optional<ExperimentRecord> experiment(std::string_view name) const = 0;
  /// The newest experiment that has this cell, be it an earlier config of its name. nullopt: none has it.
  virtual std::optional<ExperimentRecord> experiment_with(std::string_view cell_key) const = 0;
  virtual std::vector<BenchmarkRecord> benchmarks() const = 0;
  virtual std::vector<PluginRecord> plugins() const = 0;
  /// The same text as before: nothing that results, cells' states or reports are made of has changed since. (Heartbeats
  /// do not count.) Quick for any number of cells.
  virtual std::string stamp() const = 0;
  /// Of the 20,000 newest runs of all experiments; trainings that were resumed do not count.
  virtual std::vector<CostRow> costs() const = 0;
  virtual ResultsFrame frame(std::optional<std::string> experiment = std::nullopt) const = 0;
};

}  // namespace nearfar
