#include "store/planning.h"

#include "base/error.h"
#include "store/parts.h"
#include "store/rows.h"

#include <fmt/core.h>

#include <map>
#include <unordered_map>

namespace nearfar {
namespace {

constexpr std::size_t kMany = 1000;

/// The cells of put_cells, each key once, at its first place.
class CellWriter {
 public:
  CellWriter(const Database& database, std::span<const CellRecord* const> cells) : db_(database) {
    std::unordered_map<std::string_view, std::size_t> places;
    for (const CellRecord* cell : cells) {
      const auto [place, is_new] = places.try_emplace(cell->key, cells_.size());
      if (is_new) {
        cells_.push_back({cell, cell});
      } else {
        cells_[place->second].last = cell;
      }
    }
  }

  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    keys.reserve(cells_.size());
    for (const Twice& cell : cells_) keys.push_back(cell.first->key);
    return keys;
  }

  /// Returns how many are new.
  std::size_t put() const {
    std::vector<const CellRecord*> added, renamed;
    db_.look_up(  // far quicker than an INSERT in vain
        "SELECT training, training_params, seed FROM cell WHERE key = ?", cells_,
        [](const Twice& cell) { return std::tie(cell.first->key); },
        [&](std::size_t i, Statement& known) {
          const Twice& cell = cells_[i];
          const bool is_new = !known.step();
          if (is_new) added.push_back(cell.first);
          Row row(known);
          const bool same = is_new ? same_names(*cell.first, *cell.last)
                                   : row.text() == cell.last->training && row.text() == cell.last->training_params &&
                                         row.number() == cell.last->seed;
          if (!same) renamed.push_back(cell.last);
        });
    insert(added);
    // Names of models made elsewhere are in no key: the newest counts.
    db_.for_each("UPDATE cell SET label = ?2, training = ?3, training_params = ?4, seed = ?5 WHERE key = ?1", renamed,
                 [](const CellRecord* cell) {
                   return std::tie(cell->key, cell->label, cell->training, cell->training_params, cell->seed);
                 });
    return added.size();
  }

 private:
  struct Twice {
    const CellRecord *first, *last;  ///< of one key
  };
  static bool same_names(const CellRecord& a, const CellRecord& b) {
    return std::tie(a.training, a.training_params, a.seed) == std::tie(b.training, b.training_params, b.seed);
  }

  void insert(const std::vector<const CellRecord*>& cells) const {
    db_.for_each(
        "INSERT INTO cell(key, kind, model_key, train_key, label, benchmark, data_hash, architecture, head, training,"
        " training_params, recipe, seed, image_set, postprocessor, postprocessor_params, identity_json, flags)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        cells, [](const CellRecord* cell) {
          const auto train_key =
              cell->train_key.empty() ? std::nullopt : std::optional<std::string_view>(cell->train_key);
          return std::tuple_cat(
              std::tuple(std::string_view(cell->key), kind_name(cell->kind), std::string_view(cell->model_key),
                         train_key),
              std::tie(cell->label, cell->benchmark, cell->data_hash, cell->architecture, cell->head, cell->training,
                       cell->training_params, cell->recipe, cell->seed, cell->image_set, cell->postprocessor,
                       cell->postprocessor_params, cell->identity_json),
              std::tuple(canonical_flags(cell->flags)));
        });
    std::vector<std::pair<const CellRecord*, const Factor*>> factors;
    for (const CellRecord* cell : cells) {
      for (const Factor& factor : cell->factors) factors.emplace_back(cell, &factor);
    }
    db_.for_each("INSERT INTO cell_factor VALUES(?, ?, ?, ?, ?)", factors, [](const auto& row) {
      const auto& [cell, factor] = row;
      return std::tuple_cat(std::tie(cell->key, factor->name, factor->value),
                            std::tuple(std::holds_alternative<bool>(factor->value), factor->is_default));
    });
  }

  const Database& db_;
  std::vector<Twice> cells_;
};

/// The folders of a few locations, each worked out once: of many finished cells they are the same.
class Folders {
 public:
  explicit Folders(const Database& database) : db_(database) {}
  const Place& at(std::string host, std::string root) {
    std::pair<std::string, std::string> location{std::move(host), std::move(root)};
    auto found = places_.find(location);
    if (found == places_.end()) {
      Place place = place_of(db_, location.first, location.second);
      found = places_.emplace(std::move(location), std::move(place)).first;
    }
    return found->second;
  }

 private:
  const Database& db_;
  std::map<std::pair<std::string, std::string>, Place> places_;  // by host and root
};

class Planning final : public PlanStore {
 public:
  explicit Planning(Database& database) : db_(database) {}

  std::int64_t put_experiment(const ExperimentRecord& experiment) override {
    return db_.transaction(Database::Begin::exclusive, [&] {
      db_.run(
          "INSERT INTO config VALUES(?, ?, ?) ON CONFLICT(hash) DO UPDATE SET composed_toml = excluded.composed_toml",
          experiment.hash, experiment.canonical, experiment.composed);
      return db_
          .number(
              "INSERT INTO experiment(name, config_hash, profile_toml, created_unix_ms, turn)"
              " VALUES(?, ?, ?, ?, (SELECT coalesce(max(turn), 0) + 1 FROM experiment))"
              " ON CONFLICT(name, config_hash) DO UPDATE SET profile_toml = excluded.profile_toml,"
              " turn = excluded.turn RETURNING id",
              experiment.name, experiment.hash, experiment.profile, db_.now())
          .value();
    });
  }

  void put_benchmark(const BenchmarkRecord& benchmark) override {
    db_.transaction(Database::Begin::exclusive, [&] {
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
    return db_.transaction(Database::Begin::shared, [&] {
      db_.run(
          "INSERT INTO plugin(kind, name, version, source_hash, binary_hash, build_tag, tier)"
          " VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
          plugin.kind, plugin.name, plugin.version, plugin.source_hash, plugin.binary_hash, plugin.build_tag,
          plugin.tier);
      return db_
          .number(
              "SELECT id FROM plugin WHERE kind = ? AND name = ? AND version = ? AND source_hash = ?"
              " AND binary_hash = ? AND build_tag = ?",
              plugin.kind, plugin.name, plugin.version, plugin.source_hash, plugin.binary_hash, plugin.build_tag)
          .value();
    });
  }

  std::int64_t put_location(const std::filesystem::path& root) override {
    return db_.transaction(Database::Begin::shared, [&] { return nearfar::put_location(db_, root); });
  }

  void put_cells(std::int64_t experiment_id, std::span<const CellRecord* const> cells) override {
    db_.transaction(Database::Begin::exclusive, [&] {
      if (!db_.number("SELECT 1 FROM experiment WHERE id = ?", experiment_id)) {
        throw Error(ErrorKind::store, fmt::format("{}: there is no experiment {} to give cells to; put it first",
                                                  db_.name(), experiment_id));
      }
      const CellWriter writer(db_, cells);
      const std::size_t added = writer.put();
      const std::vector<std::string> keys = writer.keys();
      const auto before = collect(
          db_.query("SELECT cell_key FROM experiment_cell WHERE experiment_id = ? ORDER BY place", experiment_id),
          [](Row& row) { return row.text(); });
      if (before != keys) {  // the usual resume writes nothing
        db_.run("DELETE FROM experiment_cell WHERE experiment_id = ?", experiment_id);
        std::int64_t place = 0;
        db_.for_each("INSERT INTO experiment_cell(experiment_id, cell_key, place) VALUES(?, ?, ?)", keys,
                     [&](const std::string& key) { return std::tuple(experiment_id, std::string_view(key), place++); });
      }
      if (added > 0 || before != keys) db_.note_ready_change();
      if (added > kMany) db_.has_grown();
    });
  }

  std::vector<std::optional<StoredCell>> stored(std::span<const std::string> keys) const override {
    return db_.transaction(Database::Begin::snapshot, [&] {
      std::vector<std::optional<StoredCell>> result(keys.size());
      std::vector<std::size_t> done;  // indices
      db_.look_up(
          "SELECT state, attempt, message, owner FROM cell WHERE key = ?", keys,
          [](const std::string& key) { return std::tie(key); },
          [&](std::size_t i, Statement& found) {
            if (!found.step()) return;
            Row row(found);
            StoredCell& stored = result[i].emplace();
            stored.state = row.state();
            stored.attempt = row.small();
            stored.message = row.text();
            stored.owner = row.text();
            if (stored.state == CellState::ok) done.push_back(i);
          });
      std::vector<std::pair<std::size_t, std::string>> runs;  // index, uid
      std::vector<const Place*> places;                       // of each run
      Folders folders(db_);
      db_.look_up(
          "SELECT uid, coalesce(host, ''), coalesce(root, '') FROM run LEFT JOIN location ON location.id = location_id"
          " WHERE cell_key = ? AND attempt = ? AND state = 'ok'",
          done, [&](std::size_t i) { return std::tie(keys[i], result[i]->attempt); },
          [&](std::size_t i, Statement& found) {
            if (!found.step()) return;
            Row row(found);
            runs.emplace_back(done[i], row.text());
            std::string host = row.text(), root = row.text();
            places.push_back(&folders.at(std::move(host), std::move(root)));
            result[done[i]]->elsewhere = places.back()->elsewhere;
          });
      db_.look_up(
          "SELECT path, size_bytes FROM artifact WHERE run_uid = ?1"
          " UNION ALL SELECT path, NULL FROM score_set WHERE run_uid = ?1",
          runs, [](const auto& run) { return std::tie(run.second); },
          [&](std::size_t i, Statement& found) {
            // Joined as text: parsing paths would cost more than everything else here.
            const std::string& folder = places[i]->folder.native();
            result[runs[i].first]->files = collect(found, [&](Row& file) {
              return StoredFile{fmt::format("{}{}{}", folder, folder.empty() ? "" : "/", file.view()),
                                file.maybe_number()};
            });
          });
      return result;
    });
  }

  std::vector<FormerCell> former_cells(std::string_view experiment) const override {
    return db_.transaction(Database::Begin::snapshot, [&] {
      std::vector<FormerCell> result;
      const std::optional<std::int64_t> newest =
          db_.number("SELECT id FROM experiment WHERE name = ? ORDER BY turn DESC LIMIT 1", experiment);
      if (!newest) return result;
      result = collect(db_.query("SELECT kind, key, model_key, training, image_set, postprocessor, identity_json, seed"
                                 " FROM experiment_cell CROSS JOIN cell ON key = cell_key WHERE experiment_id = ?"
                                 " ORDER BY place",
                                 *newest),
                       [](Row& row) {
                         FormerCell cell{.kind = row.kind()};
                         for (std::string* field : {&cell.key, &cell.model_key, &cell.training, &cell.image_set,
                                                    &cell.postprocessor, &cell.identity_json})
                           *field = row.text();
                         cell.seed = row.number();
                         return cell;
                       });
      std::unordered_map<std::string_view, std::size_t> places;
      for (std::size_t i = 0; i < result.size(); ++i) places.emplace(result[i].key, i);
      const auto factors = db_.query(
          "SELECT cell_key, name, value, is_boolean, is_default FROM experiment_cell JOIN cell_factor USING(cell_key)"
          " WHERE experiment_id = ? ORDER BY cell_key, name",
          *newest);
      while (factors->step()) {
        Row row(*factors);
        FormerCell& cell = result[places.at(row.view())];
        cell.factors.push_back(row.factor());
      }
      return result;
    });
  }

  std::vector<std::string> open_keys(std::int64_t experiment_id) const override {
    return db_.reading([&] {
      return collect(db_.query("SELECT key FROM experiment_cell CROSS JOIN cell ON key = cell_key"
                               " WHERE experiment_id = ? AND state IN ('planned', 'running') ORDER BY place",
                               experiment_id),
                     [](Row& row) { return row.text(); });
    });
  }

  bool plan_again(std::string_view key, std::string_view reason) override {
    return db_.transaction(Database::Begin::exclusive, [&] {
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
      db_.note_ready_change();
      return true;
    });
  }

  void set_not_applicable(std::string_view key, std::string_view reason) override {
    db_.statement(Database::Begin::exclusive, [&] {
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
