#pragma once
/// The planning side of the database: what there is to do. All of it may be repeated; nothing that another process made
/// is deleted. Implemented by store/session.h. One thread at a time. Failures are Error(store).
#include "store/types.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// A file that a finished cell left behind.
struct StoredFile {
  std::string path = {};                   ///< absolute
  std::optional<std::int64_t> bytes = {};  ///< none: only its being there counts
};

/// What the database knows of a cell.
struct StoredCell {
  CellState state = CellState::planned;
  int attempt = 0;
  std::string message = {}, owner = {};
  std::vector<StoredFile> files = {};  ///< of the valid run; empty unless ok
  /// "host:/folder" if the files lie beneath a folder that another machine named to the server and that is not here: no
  /// shared file system, or not at the same place. Always "" with SQLite, where a database is moved with its files.
  std::string elsewhere = {};
};

/// A cell of the plan that an experiment had before.
struct FormerCell {
  CellKind kind = CellKind::eval;
  std::string key = {}, model_key = {}, training = {}, image_set = {}, postprocessor = {}, identity_json = {};
  std::int64_t seed = 0;
  std::vector<Factor> factors = {};  ///< as CellRecord::factors
};

class PlanStore {
 public:
  virtual ~PlanStore() = default;

  /// The same name and hash give the same id; composed text and profile are those of the last call.
  virtual std::int64_t put_experiment(const ExperimentRecord& experiment) = 0;
  virtual void put_benchmark(const BenchmarkRecord& benchmark) = 0;
  virtual std::int64_t put_plugin(const PluginRecord& plugin) = 0;
  /// The folder beneath which runs of this machine leave their files. Kept relative to the database's folder where it
  /// is that folder or beneath it, so that both may be moved together; else, and on a server always, absolute, with
  /// the host's name.
  virtual std::int64_t put_location(const std::filesystem::path& root) = 0;
  /// In this order. A cell that exists is left as it is; either way the experiment has it afterwards, at its place.
  /// What the experiment had before and is not among `cells` is its no more (the cell itself stays).
  virtual void put_cells(std::int64_t experiment_id, std::span<const CellRecord* const> cells) = 0;

  /// One answer a key, in the order asked for; nullopt: unknown. By the primary key alone: 100,000 in well under a
  /// second.
  virtual std::vector<std::optional<StoredCell>> stored(std::span<const std::string> keys) const = 0;

  /// Of the newest experiment of this name, in planned order; none if there is none.
  virtual std::vector<FormerCell> former_cells(std::string_view experiment) const = 0;

  /// Keys of the experiment's cells that are planned or running, in planned order.
  virtual std::vector<std::string> open_keys(std::int64_t experiment_id) const = 0;

  /// failed, crashed, timeout, nan, oom, hung, cancelled, invalid → planned. An ok cell (its files are gone or wrong)
  /// too, with `reason` in the event log. Running and not-applicable cells are left alone. True if the cell is planned
  /// now.
  virtual bool plan_again(std::string_view key, std::string_view reason) = 0;
  /// A planned or failed cell gets a reason instead of a result; a finished or running one is left alone.
  virtual void set_not_applicable(std::string_view key, std::string_view reason) = 0;
};

}  // namespace nearfar
