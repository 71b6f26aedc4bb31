#include "store/queue.h"

#include "store/parts.h"
#include "store/process.h"
#include "store/rows.h"
#include "store/uid.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace nearfar {

void add_event(const Database& database, std::string_view level, std::string_view cell_key, std::string_view message) {
  database.run("INSERT INTO event(time_unix_ms, level, cell_key, message) VALUES(?, ?, ?, ?)", database.now(), level,
               cell_key, message);
}

namespace {

/// What owner_state() says, asked once for each owner.
class Owners {
 public:
  OwnerState state(const std::string& owner) {
    const auto [found, is_new] = states_.try_emplace(owner, OwnerState::unknown);
    if (is_new) found->second = owner_state(owner);
    return found->second;
  }

 private:
  std::map<std::string, OwnerState> states_;
};

struct Running {
  std::string key, owner;
  std::int64_t lease_unix_ms = 0;
};
Running read_running(Row& row) {
  Running running;
  running.key = row.text();
  running.owner = row.text();
  running.lease_unix_ms = row.number();
  return running;
}

struct Locked {
  CellState state = CellState::planned;
  Running running;
};

/// A cell that may be claimed.
struct Ready {
  std::int64_t place = 0;
  std::string key, model_key;
  bool trains = false;
};
Ready read_ready(Row& row) {
  Ready ready;
  ready.place = row.number();
  ready.key = row.text();
  ready.trains = row.kind() == CellKind::train;
  ready.model_key = row.text();
  return ready;
}
constexpr const char* kSelectReady =
    "SELECT place, cell.key, cell.kind, cell.model_key FROM experiment_cell CROSS JOIN cell ON cell.key = cell_key"
    " LEFT JOIN cell AS train ON train.key = cell.train_key"
    " WHERE experiment_id = ?1 AND place BETWEEN ?2 AND ?3 AND cell.state = 'planned'"
    " AND (cell.train_key IS NULL OR train.state = 'ok') ORDER BY place LIMIT ?4";

class Queue final : public QueueStore {
 public:
  explicit Queue(Database& database) : db_(database) {}

  std::optional<ReadyGroup> next_ready(std::int64_t experiment_id,
                                       const std::function<bool(std::string_view key)>& skip) override {
    return db_.transaction(Database::Begin::look, [&]() -> std::optional<ReadyGroup> {
      Cursor& cursor = cursor_of(experiment_id);
      std::set<std::string> taken;  // models that another worker is claiming from
      const auto first_between = [&](std::int64_t from, std::int64_t to) -> std::optional<ReadyGroup> {
        for (std::int64_t page = 1;; page = std::min(page * 8, kLargestPage)) {
          const std::vector<Ready> found = collect(db_.query(kSelectReady, experiment_id, from, to, page), read_ready);
          for (const Ready& ready : found) {
            if ((skip && skip(ready.key)) || taken.contains(ready.model_key)) {
              cursor.held.insert(ready.place);
              continue;
            }
            if (!db_.reserve(ready.model_key)) {
              taken.insert(ready.model_key);
              cursor.held.insert(ready.place);
              continue;
            }
            ReadyGroup group{ready.trains ? CellKind::train : CellKind::eval, ready.model_key, {}};
            group.keys = ready.trains ? planned_alone(ready.key) : planned_of(group.model_key, experiment_id, skip);
            if (group.keys.empty()) continue;  // claimed by another worker while it was looked at
            cursor.place = std::max(cursor.place, ready.place);
            return group;
          }
          if (std::ssize(found) < page) return std::nullopt;
          from = found.back().place + 1;
        }
      };
      for (const std::int64_t place : std::set<std::int64_t>(cursor.held)) {
        cursor.held.erase(place);
        if (std::optional<ReadyGroup> group = first_between(place, place)) {
          cursor.held.insert(place);  // it may not be claimed
          return group;
        }
      }
      if (std::optional<ReadyGroup> group = first_between(cursor.place, kEnd)) return group;
      cursor.place = kEnd;
      return std::nullopt;
    });
  }

  std::int64_t running_count(std::int64_t experiment_id) const override {
    return db_.reading([&] {
      return db_
          .number(
              "SELECT count(*) FROM cell CROSS JOIN experiment_cell ON cell_key = key AND experiment_id = ?"
              " WHERE state = 'running'",
              experiment_id)
          .value();
    });
  }

  std::optional<Lease> claim(std::string_view key, const RunContext& context) override {
    return db_.transaction(Database::Begin::shared, [&]() -> std::optional<Lease> {
      const std::vector<Locked> locked =
          collect(db_.query("SELECT state, key, owner, lease_unix_ms FROM cell WHERE key = ? /*lock or skip*/", key),
                  [](Row& row) {
                    const CellState state = row.state();
                    return Locked{state, read_running(row)};
                  });
      if (locked.empty()) {
        if (db_.number("SELECT 1 FROM cell WHERE key = ?", key)) return std::nullopt;  // somebody changes it just now
        throw Error(ErrorKind::store, fmt::format("{}: there is no cell '{}' to run; plan it first", db_.name(), key));
      }
      const auto& [state, running] = locked.front();
      if (state == CellState::ok || state == CellState::not_applicable) return std::nullopt;
      Owners owners;
      if (state == CellState::running && !release_if_stale(running, owners)) return std::nullopt;
      const std::int64_t now = db_.now(), expires = now + context.lease_seconds * 1000;
      const std::optional<std::int64_t> attempt = db_.number(
          "UPDATE cell SET state = 'running', attempt = attempt + 1, owner = ?, lease_unix_ms = ?, message = ''"
          " WHERE key = ? RETURNING attempt",
          context.owner, expires, key);
      const auto id = [](std::int64_t number) {
        return number == 0 ? std::nullopt : std::optional<std::int64_t>(number);
      };
      const std::string uid = new_uid(now, db_.text("SELECT max(uid) FROM run").value_or(""));
      db_.run(
          "INSERT INTO run(uid, cell_key, attempt, state, owner, device, thread_count, engine_version, numerics, "
          "log_file, location_id, plugin_id, started_unix_ms)"
          " VALUES(?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          uid, key, attempt.value(), context.owner, context.device, context.threads, context.engine_version,
          context.numerics, context.log_file, id(context.location), id(context.plugin_id), now);
      return Lease{uid, std::string(key), expires};
    });
  }

  void heartbeat(std::string_view owner, std::int64_t lease_seconds) override {
    db_.statement(Database::Begin::shared, [&] {
      db_.run("UPDATE cell SET lease_unix_ms = ?1 WHERE state = 'running' AND owner = ?2 AND lease_unix_ms < ?1",
              db_.now() + lease_seconds * 1000, owner);
    });
  }

  void finish(std::string_view run_uid, const Outcome& outcome) override {
    db_.transaction(Database::Begin::shared, [&] {
      const std::string key = end_run(run_uid, CellState::ok, CellState::ok, "");
      add_outcome(db_, run_uid, outcome);
      if (db_.number("SELECT 1 FROM cell WHERE key = ? AND kind = 'train'", key)) db_.note_ready_change();
    });
  }

  void fail(std::string_view run_uid, CellState state, std::string_view message) override {
    NEARFAR_ASSERT(state >= CellState::failed && state <= CellState::invalid);
    db_.transaction(Database::Begin::shared, [&] {
      const std::string key = end_run(run_uid, state, state, message);
      add_event(db_, "error", key, fmt::format("{}: {}", state_name(state), message));
    });
  }

  void hand_back(std::string_view run_uid, std::string_view message) override {
    db_.transaction(Database::Begin::shared, [&] {
      end_run(run_uid, CellState::cancelled, CellState::planned, message);
      db_.note_ready_change();
    });
  }

  int recover_stale() override {
    return db_.transaction(Database::Begin::shared, [&] {
      Owners owners;
      int released = 0;
      for (const Running& seen :
           collect(db_.query("SELECT key, owner, lease_unix_ms FROM cell WHERE state = 'running' ORDER BY key"),
                   read_running)) {
        if (!is_stale(seen, owners)) continue;  // cells of the living are not locked
        for (const Running& running :
             collect(db_.query("SELECT key, owner, lease_unix_ms FROM cell WHERE key = ? AND state = 'running'"
                               " /*lock or skip*/",
                               seen.key),
                     read_running)) {
          released += release_if_stale(running, owners) ? 1 : 0;
        }
      }
      return released;
    });
  }

  void event(std::string_view level, std::string_view cell_key, std::string_view message) override {
    db_.statement(Database::Begin::shared, [&] { add_event(db_, level, cell_key, message); });
  }

 private:
  static constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max(), kLargestPage = 512;

  /// Nothing of the experiment before `place` is ready but what `skip` held back: it may let go.
  struct Cursor {
    std::int64_t place = 0;
    std::set<std::int64_t> held;
  };
  /// Starts over when any session made something ready, or when something that was seen has been undone.
  Cursor& cursor_of(std::int64_t experiment_id) {
    const std::pair seen{db_.number("SELECT change_count FROM ready_change").value_or(0), db_.change_count()};
    if (seen != seen_) {
      cursors_.clear();
      seen_ = seen;
    }
    return cursors_[experiment_id];
  }

  std::vector<std::string> planned_of(std::string_view model_key, std::int64_t experiment_id,
                                      const std::function<bool(std::string_view key)>& skip) const {
    std::vector<std::string> keys =
        collect(db_.query("SELECT key FROM cell CROSS JOIN experiment_cell ON cell_key = key AND experiment_id = ?"
                          " WHERE model_key = ? AND state = 'planned' AND kind <> 'train' ORDER BY place",
                          experiment_id, model_key),
                [](Row& row) { return row.text(); });
    if (skip) std::erase_if(keys, skip);
    return keys;
  }

  std::vector<std::string> planned_alone(const std::string& key) const {
    if (!db_.number("SELECT 1 FROM cell WHERE key = ? AND state = 'planned'", key)) return {};
    return {key};
  }

  bool is_stale(const Running& running, Owners& owners) const {
    const OwnerState state = owners.state(running.owner);
    return state == OwnerState::dead || (state == OwnerState::unknown && running.lease_unix_ms <= db_.now());
  }

  /// In the transaction that has locked the cell.
  bool release_if_stale(const Running& running, Owners& owners) {
    if (!is_stale(running, owners)) return false;
    const std::string message =
        fmt::format("process {} {}; the cell is planned again", running.owner,
                    owners.state(running.owner) == OwnerState::dead ? "ended without a result"
                                                                    : "was not heard of for longer than its lease");
    db_.run(
        "UPDATE run SET state = 'crashed', message = ?, finished_unix_ms = ? WHERE cell_key = ? AND state = 'running'",
        message, db_.now(), running.key);
    db_.run("UPDATE cell SET state = 'planned', owner = '', lease_unix_ms = 0, message = '' WHERE key = ?",
            running.key);
    add_event(db_, "warn", running.key, message);
    db_.note_ready_change();
    return true;
  }

  /// Ends a run that is its cell's current attempt. Returns the cell's key.
  std::string end_run(std::string_view uid, CellState run_state, CellState cell_state, std::string_view message) {
    const std::optional<std::string> key = db_.text("SELECT cell_key FROM run WHERE uid = ?", uid);
    if (!key) throw Error(ErrorKind::store, fmt::format("{}: there is no run '{}' to end", db_.name(), uid));
    const int changed = db_.run(
        "UPDATE cell SET state = ?, owner = '', lease_unix_ms = 0, message = ? WHERE key = ? AND state = 'running'"
        " AND attempt = (SELECT attempt FROM run WHERE uid = ? AND state = 'running')",
        state_name(cell_state), message, *key, uid);
    if (changed != 1) {
      throw LeaseLost(
          fmt::format("{}: run {} is not the current attempt of its cell {} any more (it ended already, or another "
                      "process took the cell over); its result was not stored",
                      db_.name(), uid, key->substr(0, 12)));
    }
    db_.run("UPDATE run SET state = ?, message = ?, finished_unix_ms = ? WHERE uid = ?", state_name(run_state), message,
            db_.now(), uid);
    return *key;
  }

  Database& db_;
  std::map<std::int64_t, Cursor> cursors_;
  std::pair<std::int64_t, std::int64_t> seen_{-1, -1};  // what the cursors go by: changes of all, of this session
};

}  // namespace

std::unique_ptr<QueueStore> make_queue(Database& database) { return std::make_unique<Queue>(database); }

}  // namespace nearfar
