#pragma once
/// The working side of the database: who does what. Claims are leases with a fencing attempt number; the owner of an
/// expired lease, or one that is seen to be dead, loses it to whoever claims next. Leases go by the clock of the
/// server, or of the one host that has the file. Implemented by store/session.h. One thread at a time. Failures are
/// Error(store).
#include "base/error.h"
#include "store/types.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// The run is not its cell's current attempt any more: it ended already, or another process took the cell over. Nothing
/// was stored.
class LeaseLost : public Error {
 public:
  explicit LeaseLost(const std::string& message) : Error(ErrorKind::store, message) {}
};

/// One attempt at one cell.
struct Lease {
  std::string run_uid = {};  ///< sorts by time of claiming
  std::string key = {};
  std::int64_t expires_unix_ms = 0;
};

/// Cells that one child process does together: a train cell, or every planned cell (features, accuracy, eval) of one
/// model whose train cell, if it has one, is ok.
struct ReadyGroup {
  CellKind kind = CellKind::eval;  ///< train, or eval for a model's group
  std::string model_key = {};
  std::vector<std::string> keys = {};  ///< in planned order
};

class QueueStore {
 public:
  virtual ~QueueStore() = default;

  /// The first group of the experiment in planned order, without the cells that `skip` holds back (empty: none; it may
  /// be asked about a cell several times and does not call the store); nullopt: nothing is ready. A group is offered
  /// until its cells are claimed; within while_claiming() or in_transaction() together with their claims, two workers
  /// never see the same one. Cost does not grow with the cells that are done: the place is remembered, until any
  /// session makes a cell ready.
  virtual std::optional<ReadyGroup> next_ready(std::int64_t experiment_id,
                                               const std::function<bool(std::string_view key)>& skip) = 0;
  /// Cells of the experiment that somebody runs, as far as the database knows. Reads only these: may be asked often.
  virtual std::int64_t running_count(std::int64_t experiment_id) const = 0;
  /// Takes the cell and starts an attempt. nullopt if it is done, does not apply, or somebody else has it: one who is
  /// seen to live, or whose lease holds. Error(store): there is no such cell.
  virtual std::optional<Lease> claim(std::string_view key, const RunContext& context) = 0;
  /// Prolongs every lease of this owner to `lease_seconds` from now; shortens none.
  virtual void heartbeat(std::string_view owner, std::int64_t lease_seconds) = 0;

  /// These end a run; LeaseLost, and only then, if the run is no longer the cell's current attempt. A lease that has
  /// expired is lost once somebody took the cell over, not before. Each is done or not done as a whole, also within
  /// in_transaction() where the caller catches its Error(store).
  virtual void finish(std::string_view run_uid, const Outcome& outcome) = 0;
  /// `state` is one of failed … invalid.
  virtual void fail(std::string_view run_uid, CellState state, std::string_view message) = 0;
  /// The run ends as cancelled, its cell is planned again.
  virtual void hand_back(std::string_view run_uid, std::string_view message) = 0;

  /// Cells left running by owners that are dead, or whose leases have expired and who cannot be seen to live, are
  /// planned again, each with an event. Returns how many.
  virtual int recover_stale() = 0;
  virtual void event(std::string_view level, std::string_view cell_key, std::string_view message) = 0;
};

}  // namespace nearfar
