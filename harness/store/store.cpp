#include "store/store.h"

#include "base/error.h"
#include "base/text.h"
#include "store/impl.h"
#include "store/process.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace nearfar {

std::string canonical_flags(std::string_view flags) {
  std::vector<std::string> parts = split(flags, ';');
  std::erase_if(parts, [](const std::string& part) { return part.empty(); });
  std::ranges::sort(parts);
  const auto repeated = std::ranges::unique(parts);
  parts.erase(repeated.begin(), repeated.end());
  return join(parts, ";");
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Store Store::open(const std::filesystem::path& file) {
  return Store(std::unique_ptr<Impl>(new Impl{Database(file, Database::Mode::write)}));
}

Store Store::open_read_only(const std::filesystem::path& file) {
  return Store(std::unique_ptr<Impl>(new Impl{Database(file, Database::Mode::read_only)}));
}

const std::filesystem::path& Store::file() const { return impl_->database.file(); }

void Store::in_transaction(const std::function<void()>& work) { impl_->database.transaction(work); }

// ---- planning ----

std::int64_t Store::put_experiment(std::string_view name, std::string_view canonical_config,
                                   std::string_view config_hash) {
  const Database& db = impl_->database;
  return impl_->database.transaction([&] {
    db.run("INSERT INTO config VALUES(?, ?) ON CONFLICT DO NOTHING", config_hash, canonical_config);
    db.run("INSERT INTO experiment(name, config_hash, created_unix_ms) VALUES(?, ?, ?) ON CONFLICT DO NOTHING", name,
           config_hash, unix_ms());
    return db.number("SELECT id FROM experiment WHERE name = ? AND config_hash = ?", name, config_hash).value();
  });
}

void Store::put_benchmark(const BenchmarkRecord& benchmark) {
  const Database& db = impl_->database;
  impl_->database.transaction([&] {
    if (db.run("INSERT INTO benchmark VALUES(?, ?, ?) ON CONFLICT DO NOTHING", benchmark.name, benchmark.data_hash,
               benchmark.definition_json) == 0) {
      return;
    }
    int place = 0;
    for (const BenchmarkSet& set : benchmark.sets) {
      db.run("INSERT INTO benchmark_set VALUES(?, ?, ?, ?, ?, ?, ?)", benchmark.name, benchmark.data_hash, place++,
             set.name, set.group, set.role, set.image_count);
    }
  });
}

std::int64_t Store::put_plugin(const PluginRecord& plugin) {
  const Database& db = impl_->database;
  return impl_->database.transaction([&] {
    db.run(
        "INSERT INTO plugin(kind, name, version, source_hash, binary_hash, build_tag) VALUES(?, ?, ?, ?, ?, ?) ON "
        "CONFLICT DO NOTHING",
        plugin.kind, plugin.name, plugin.version, plugin.source_hash, plugin.binary_hash, plugin.build_tag);
    return db
        .number(
            "SELECT id FROM plugin WHERE kind = ? AND name = ? AND version = ? AND source_hash = ? AND binary_hash = ? "
            "AND build_tag = ?",
            plugin.kind, plugin.name, plugin.version, plugin.source_hash, plugin.binary_hash, plugin.build_tag)
        .value();
  });
}

void Store::put_cell(std::int64_t experiment_id, const CellRecord& cell, std::int64_t order) {
  const Database& db = impl_->database;
  const auto train_key = cell.train_key.empty() ? std::nullopt : std::optional<std::string>(cell.train_key);
  impl_->database.transaction([&] {
    db.run(
        "INSERT INTO cell(key, kind, train_key, label, benchmark, data_hash, architecture, head, training, "
        "training_params, recipe, seed,"
        " postprocessor, postprocessor_params, config_json, flags) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?)"
        " ON CONFLICT(key) DO NOTHING",
        cell.key, cell.kind, train_key, cell.label, cell.benchmark, cell.data_hash, cell.architecture, cell.head,
        cell.training, cell.training_params, cell.recipe, cell.seed, cell.postprocessor, cell.postprocessor_params,
        cell.config_json, canonical_flags(cell.flags));
    db.run(
        "INSERT INTO experiment_cell VALUES(?, ?, ?) ON CONFLICT(experiment_id, cell_key) DO UPDATE SET place = "
        "excluded.place"
        " WHERE place <> excluded.place",
        experiment_id, cell.key, order);
  });
}

void Store::set_not_applicable(std::string_view key, std::string_view reason) {
  impl_->database.transaction([&] {
    impl_->database.run(
        "UPDATE cell SET state = 'not-applicable', message = ? WHERE key = ? AND state NOT IN ('running', 'ok')",
        reason, key);
  });
}

// ---- running ----

void Store::Impl::add_event(std::string_view level, std::string_view cell_key, std::string_view message) {
  database.run("INSERT INTO event(time_unix_ms, level, cell_key, message) VALUES(?, ?, ?, ?)", unix_ms(), level,
               cell_key, message);
}

bool Store::Impl::release_if_stale(std::string_view key) {
  std::string owner;
  {
    SQLite::Statement cell = database.query("SELECT owner FROM cell WHERE key = ? AND state = 'running'", key);
    if (!cell.executeStep()) return false;
    owner = cell.getColumn(0).getString();
  }
  if (!is_dead_local_owner(owner)) return false;
  const std::string message = fmt::format("process {} ended without a result; the cell is planned again", owner);
  database.run(
      "UPDATE run SET state = 'crashed', message = ?, finished_unix_ms = ? WHERE cell_key = ? AND state = 'running'",
      message, unix_ms(), key);
  database.run("UPDATE cell SET state = 'planned', owner = '', message = '' WHERE key = ?", key);
  add_event("warn", key, message);
  return true;
}

std::optional<std::int64_t> Store::claim(std::string_view key, const RunContext& context) {
  const Database& db = impl_->database;
  return impl_->database.transaction([&]() -> std::optional<std::int64_t> {
    impl_->release_if_stale(key);
    const std::optional<std::int64_t> attempt = db.number(
        "UPDATE cell SET state = 'running', attempt = attempt + 1, owner = ?, message = ''"
        " WHERE key = ? AND state NOT IN ('running', 'ok', 'not-applicable') RETURNING attempt",
        context.owner, key);
    if (!attempt) {
      if (db.number("SELECT 1 FROM cell WHERE key = ?", key)) return std::nullopt;
      throw Error(ErrorKind::store,
                  fmt::format("{}: there is no cell '{}' to run; plan it first", db.file().string(), key));
    }
    const auto plugin = context.plugin_id == 0 ? std::nullopt : std::optional<std::int64_t>(context.plugin_id);
    return db.number(
        "INSERT INTO run(cell_key, attempt, state, owner, device, thread_count, engine_version, numerics, log_file, "
        "plugin_id,"
        " started_unix_ms) VALUES(?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        key, *attempt, context.owner, context.device, context.threads, context.engine_version, context.numerics,
        context.log_file, plugin, unix_ms());
  });
}

void Store::Impl::end_run(std::int64_t run, CellState run_state, CellState cell_state, std::string_view message) {
  const int changed = database.run(
      "UPDATE cell SET state = ?, owner = '', message = ? WHERE state = 'running'"
      " AND (key, attempt) = (SELECT cell_key, attempt FROM run WHERE id = ? AND state = 'running')",
      state_name(cell_state), message, run);
  if (changed != 1) {
    throw Error(ErrorKind::store,
                fmt::format("{}: run {} is not the current attempt of its cell any more (it ended already, or another "
                            "process took the cell over); its result was not stored",
                            database.file().string(), run));
  }
  database.run("UPDATE run SET state = ?, message = ?, finished_unix_ms = ? WHERE id = ?", state_name(run_state),
               message, unix_ms(), run);
}

void Store::Impl::add_metrics(std::int64_t run, const std::vector<MetricRow>& rows) {
  for (const MetricRow& row : rows) {
    if (!(row.value >= 0 && row.value <= 1)) {
      throw Error(ErrorKind::store,
                  fmt::format("{}: run {}: {} of {}/{} is {}, expected a fraction in [0, 1]; the run was not stored",
                              database.file().string(), run, row.metric, row.group, row.dataset, row.value));
    }
    database.run("INSERT INTO metric VALUES(?, ?, ?, ?, ?, ?)", run, row.protocol, row.group, row.dataset, row.metric,
                 row.value);
  }
}

void Store::Impl::add_artifacts(std::int64_t run, const std::vector<ArtifactRow>& rows) {
  for (const ArtifactRow& row : rows)
    database.run("INSERT INTO artifact VALUES(?, ?, ?, ?, ?)", run, row.name, row.path, row.sha256, row.bytes);
}

void Store::finish_train(std::int64_t run, const TrainResult& result) {
  const Database& db = impl_->database;
  impl_->database.transaction([&] {
    impl_->end_run(run, CellState::ok, CellState::ok, "");
    db.run(
        "UPDATE run SET train_seconds = ?, epoch_count = ?, final_train_loss = ?, val_accuracy_fraction = ?, "
        "classifier = ?, flags = ?"
        " WHERE id = ?",
        result.seconds, result.epochs, result.train_loss, result.val_accuracy, result.classifier,
        canonical_flags(result.flags), run);
    if (result.test_accuracy) impl_->add_metrics(run, {{"ood", "id", "test", "accuracy", *result.test_accuracy}});
    impl_->add_metrics(run, result.metrics);
    for (const CurvePoint& point : result.curve) {
      db.run("INSERT INTO curve VALUES(?, ?, ?, ?)", run, point.name, point.step, point.value);
    }
    impl_->add_artifacts(run, result.artifacts);
  });
}

void Store::finish_eval(std::int64_t run, const EvalResult& result) {
  const Database& db = impl_->database;
  impl_->database.transaction([&] {
    impl_->end_run(run, CellState::ok, CellState::ok, "");
    db.run("UPDATE run SET fit_seconds = ?, score_seconds = ?, classifier = ?, flags = ? WHERE id = ?",
           result.seconds_fit, result.seconds_score, result.classifier, canonical_flags(result.flags), run);
    impl_->add_metrics(run, result.metrics);
    for (const ScoreSetRow& row : result.scores) {
      db.run("INSERT INTO score_set VALUES(?, ?, ?, ?, ?)", run, row.set, row.path, row.sha256, row.count);
    }
    for (const CurvePoint& point : result.curve) {
      db.run("INSERT INTO curve VALUES(?, ?, ?, ?)", run, point.name, point.step, point.value);
    }
    impl_->add_artifacts(run, result.artifacts);
  });
}

void Store::fail(std::int64_t run, CellState state, std::string_view message) {
  NEARFAR_ASSERT(state >= CellState::failed && state <= CellState::invalid);
  impl_->database.transaction([&] {
    impl_->end_run(run, state, state, message);
    const auto key = [&] {
      SQLite::Statement statement = impl_->database.query("SELECT cell_key FROM run WHERE id = ?", run);
      return statement.executeStep() ? statement.getColumn(0).getString() : std::string();
    }();
    impl_->add_event("error", key, fmt::format("{}: {}", state_name(state), message));
  });
}

void Store::hand_back(std::int64_t run, std::string_view message) {
  impl_->database.transaction([&] { impl_->end_run(run, CellState::cancelled, CellState::planned, message); });
}

void Store::invalidate(std::string_view key, std::string_view reason) {
  impl_->database.transaction([&] {
    if (impl_->database.run("UPDATE cell SET state = 'invalid', message = ? WHERE key = ? AND state = 'ok'", reason,
                            key) == 1) {
      impl_->add_event("warn", key, reason);
    }
  });
}

int Store::recover_stale() {
  return impl_->database.transaction([&] {
    std::vector<std::string> running;
    SQLite::Statement statement = impl_->database.query("SELECT key FROM cell WHERE state = 'running' ORDER BY key");
    while (statement.executeStep()) running.push_back(statement.getColumn(0).getString());
    return static_cast<int>(
        std::ranges::count_if(running, [&](const std::string& key) { return impl_->release_if_stale(key); }));
  });
}

void Store::event(std::string_view level, std::string_view cell_key, std::string_view message) {
  impl_->database.transaction([&] { impl_->add_event(level, cell_key, message); });
}

}  // namespace nearfar
