#include "store/planning.h"

#include "base/error.h"
#include "store/parts.h"
#include "store/rows.h"

#include <fmt/core.h>

#include <map>
#include <unordered_set>

namespace nearfar {
namespace {

/// The statements of put_cells, prepared once for a hundred thousand cells.
class CellWriter {
 public:
  CellWriter(const Database& database, std::int64_t experiment)
      : experiment_(experiment),
        known_(database.query("SELECT training, training_params, seed FROM cell WHERE key = ?")),
        rename_(database.query(
            "UPDATE cell SET label = ?2, training = ?3, training_params = ?4, seed = ?5 WHERE key = ?1")),
        cell_(database.query("INSERT INTO cell(key, kind, model_key, train_key, label, benchmark, data_hash, "
                             "architecture, head, training, training_params, recipe, seed, image_set, postprocessor, "
                             "postprocessor_params, identity_json, flags)"
                             " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ")),
        factor_(database.query("INSERT INTO cell_factor VALUES(?, ?, ?, ?, ?)")),
        place_(database.query("INSERT INTO experiment_cell(experiment_id, cell_key, place) VALUES(?, ?, ?)")) {}

  /// True if the cell is new.
  bool put(const CellRecord& cell) {
    Database::again(known_, cell.key);  // far quicker than an INSERT in vain
    if (known_.executeStep()) {
      Row row(known_);
      const bool same = row.text() == cell.training && row.text() == cell.training_params && row.number() == cell.seed;
      known_.reset();
      // Names of models made elsewhere are in no key: the newest counts.
      if (!same) Database::run_again(rename_, cell.key, cell.label, cell.training, cell.training_params, cell.seed);
      return false;
    }
    known_.reset();
    const auto train_key = cell.train_key.empty() ? std::nullopt : std::optional<std::string>(cell.train_key);
    Database::run_again(cell_, cell.key, kind_name(cell.kind), cell.model_key, train_key, cell.label, cell.benchmark,
                        cell.data_hash, cell.architecture, cell.head, cell.training, cell.training_params, cell.recipe,
                        cell.seed, cell.image_set, cell.postprocessor, cell.postprocessor_params, cell.identity_json,
                        canonical_flags(cell.flags));
    for (const Factor& factor : cell.factors) {
      const bool is_boolean = std::holds_alternative<bool>(factor.value);
      std::visit(
          [&](const auto& value) {
            Database::run_again(factor_, cell.key, factor.name, value, is_boolean, factor.is_default);
          },
          factor.value);
    }
    return true;
  }
  void place(const std::string& key, std::int64_t place) { Database::run_again(place_, experiment_, key, place); }

 private:
  std::int64_t experiment_;
  SQLite::Statement known_, rename_, cell_, factor_, place_;
};

class Planning final : public PlanStore {
 public:
  explicit Planning(Database& database) : db_(database) {}

  std::int64_t put_experiment(const ExperimentRecord& experiment) override {
    return db_.transaction([&] {
      db_.run(
          "INSERT INTO config VALUES(?, ?, ?) ON CONFLICT(hash) DO UPDATE SET composed_toml = excluded.composed_toml",
          experiment.hash, experiment.canonical, experiment.composed);
      return db_
          .number(
              "INSERT INTO experiment(name, config_hash, profile_toml, created_unix_ms, turn)"
              " VALUES(?, ?, ?, ?, (SELECT coalesce(max(turn), 0) + 1 FROM experiment))"
              " ON CONFLICT(name, config_hash) DO UPDATE SET profile_toml = excluded.profile_toml,"
              " turn = excluded.turn RETURNING id",
              experiment.name, experiment.hash, experiment.profile, unix_ms())
          .value();
    });
  }

  void put_benchmark(const BenchmarkRecord& benchmark) override {
    db_.transaction([&] {
      if (db_.run("INSERT INTO benchmark VALUES(?, ?, ?) ON CONFLICT DO NOTHING", benchmark.name, benchmark.data_hash,
                  benchmark.definition_json) == 0) {
        return;
      }
      int place = 0;
      for (const BenchmarkSet& set : benchmark.sets) {
        db_.run("INSERT INTO benchmark_set VALUES(?, ?, ?, ?, ?, ?, ?)", benchmark.name, benchmark.data_hash, place++,
                set.name, set.group, set.role, set.image_count);
      }
    });
  }

  std::int64_t put_plugin(const PluginRecord& plugin) override {
    return db_.transaction([&] {
      db_.run(
          "INSERT INTO plugin(kind, name, version, source_hash, binary_hash, build_tag) VALUES(?, ?, ?, ?, ?, ?)"
          " ON CONFLICT DO NOTHING",
          plugin.kind, plugin.name, plugin.version, plugin.source_hash, plugin.binary_hash, plugin.build_tag);
      return db_
          .number(
              "SELECT id FROM plugin WHERE kind = ? AND name = ? AND version = ? AND source_hash = ?"
              " AND binary_hash = ? AND build_tag = ?",
              plugin.kind, plugin.name, plugin.version, plugin.source_hash, plugin.binary_hash, plugin.build_tag)
          .value();
    });
  }

  std::int64_t put_location(const std::filesystem::path& root) override {
    return db_.transaction([&] { return nearfar::put_location(db_, root); });
  }

  void put_cells(std::int64_t experiment_id, std::span<const CellRecord* const> cells) override {
    db_.transaction([&] {
      if (!db_.number("SELECT 1 FROM experiment WHERE id = ?", experiment_id)) {
        throw Error(ErrorKind::store, fmt::format("{}: there is no experiment {} to give cells to; put it first",
                                                  db_.file().string(), experiment_id));
      }
      CellWriter writer(db_, experiment_id);
      std::vector<std::string> keys;  // each once, at its first place
      std::unordered_set<std::string_view> seen;
      bool changed = false;
      for (const CellRecord* cell : cells) {
        changed |= writer.put(*cell);
        if (seen.insert(cell->key).second) keys.push_back(cell->key);
      }
      const auto before = collect(
          db_.query("SELECT cell_key FROM experiment_cell WHERE experiment_id = ? ORDER BY place", experiment_id),
          [](Row& row) { return row.text(); });
      if (before != keys) {  // the usual resume writes nothing
        changed = true;
        db_.run("DELETE FROM experiment_cell WHERE experiment_id = ?", experiment_id);
        for (std::size_t i = 0; i < keys.size(); ++i) writer.place(keys[i], static_cast<std::int64_t>(i));
      }
      if (changed) note_ready_change(db_);
    });
  }

  std::vector<std::optional<StoredCell>> stored(std::span<const std::string> keys) const override {
    return db_.snapshot([&] {
      SQLite::Statement cell = db_.query("SELECT state, attempt, message, owner FROM cell WHERE key = ?");
      SQLite::Statement valid = db_.query(
          "SELECT uid, coalesce(host, ''), coalesce(root, '') FROM run"
          " LEFT JOIN location ON location.id = location_id"
          " WHERE cell_key = ? AND attempt = ? AND state = 'ok'");
      SQLite::Statement files = db_.query(
          "SELECT path, size_bytes FROM artifact WHERE run_uid = ?1"
          " UNION ALL SELECT path, NULL FROM score_set WHERE run_uid = ?1");
      std::vector<std::optional<StoredCell>> result;
      std::map<std::pair<std::string, std::string>, std::string> folders;  // by host and root; with '/' at the end
      result.reserve(keys.size());
      for (const std::string& key : keys) {
        Database::again(cell, key);
        if (!cell.executeStep()) {
          result.emplace_back();
          continue;
        }
        Row row(cell);
        StoredCell& stored = result.emplace_back(StoredCell{}).value();
        stored.state = row.state();
        stored.attempt = row.small();
        stored.message = row.text();
        stored.owner = row.text();
        if (stored.state != CellState::ok) continue;
        Database::again(valid, key, stored.attempt);
        if (!valid.executeStep()) continue;
        Row run(valid);
        Database::again(files, run.text());
        std::pair<std::string, std::string> place{run.text(), run.text()};
        auto found = folders.find(place);
        if (found == folders.end()) {
          std::string whole = (location_folder(db_, place.first, place.second) / "").string();
          found = folders.emplace(std::move(place), std::move(whole)).first;
        }
        const std::string& folder = found->second;
        stored.files = collect(files, [&](Row& file) {
          // Joined as text: parsing paths would cost more than everything else here.
          return StoredFile{std::string(folder).append(file.view()), file.maybe_number()};
        });
      }
      return result;
    });
  }

  bool plan_again(std::string_view key, std::string_view reason) override {
    return db_.transaction([&] {
      const std::optional<std::string> state = db_.text("SELECT state FROM cell WHERE key = ?", key);
      if (!state) return false;
      switch (state_from_name(*state)) {
        case CellState::planned:
          return true;
        case CellState::running:
        case CellState::not_applicable:
          return false;
        case CellState::ok:
          add_event(db_, "warn", key, reason);
          break;
        default:
          break;
      }
      db_.run("UPDATE cell SET state = 'planned', message = '' WHERE key = ?", key);
      note_ready_change(db_);
      return true;
    });
  }

  void set_not_applicable(std::string_view key, std::string_view reason) override {
    db_.transaction([&] {
      db_.run("UPDATE cell SET state = 'not-applicable', message = ? WHERE key = ? AND state NOT IN ('running', 'ok')",
              reason, key);
    });
  }

 private:
  Database& db_;
};

}  // namespace

std::unique_ptr<PlanStore> make_planning(Database& database) { return std::make_unique<Planning>(database); }

}  // namespace nearfar
