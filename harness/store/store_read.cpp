/// The reading half of Store: plain SELECTs into plain structs.
#include "base/error.h"
#include "base/text.h"
#include "store/impl.h"

#include <fmt/core.h>

#include <algorithm>

namespace nearfar {
namespace {

/// Takes the columns of the current row one after the other.
class Row {
 public:
  explicit Row(SQLite::Statement& statement) : statement_(statement) {}
  std::string text() { return statement_.getColumn(column_++).getString(); }
  std::int64_t number() { return statement_.getColumn(column_++).getInt64(); }
  int small() { return static_cast<int>(number()); }
  double real() { return statement_.getColumn(column_++).getDouble(); }
  CellState state() { return state_from_name(text()); }

 private:
  SQLite::Statement& statement_;
  int column_ = 0;
};

template <class Make>
auto collect(SQLite::Statement statement, Make make) {
  std::vector<decltype(make(std::declval<Row&>()))> result;
  while (statement.executeStep()) {
    Row row(statement);
    result.push_back(make(row));
  }
  return result;
}

struct Times {
  std::string started_utc, finished_utc;
  double seconds = 0;
};
Times read_times(Row& row) {
  const std::int64_t started = row.number(), finished = row.number();  // NULL reads as 0
  if (started == 0) return {};
  return {utc_text(started), finished == 0 ? "" : utc_text(finished),
          static_cast<double>((finished == 0 ? unix_ms() : finished) - started) / 1000};
}

constexpr const char* kCellStatus =
    "SELECT cell.key, cell.kind, coalesce(cell.train_key, ''), cell.label, cell.benchmark, cell.state, cell.attempt, "
    "cell.message,"
    " cell.owner, coalesce(run.log_file, ''), run.started_unix_ms, run.finished_unix_ms"
    " FROM cell LEFT JOIN run ON run.cell_key = cell.key AND run.attempt = cell.attempt ";

CellStatus read_status(Row& row) {
  CellStatus status;
  status.key = row.text();
  status.id = status.key.substr(0, 12);
  status.kind = row.text();
  status.train_key = row.text();
  status.label = row.text();
  status.benchmark = row.text();
  status.state = row.state();
  status.attempt = row.small();
  status.message = row.text();
  status.owner = row.text();
  status.log_file = row.text();
  const Times times = read_times(row);
  status.started_utc = times.started_utc;
  status.finished_utc = times.finished_utc;
  status.seconds = times.seconds;
  return status;
}

CellRecord read_record(Row& row) {
  CellRecord record;
  for (std::string* field :
       {&record.key, &record.kind, &record.train_key, &record.label, &record.benchmark, &record.data_hash,
        &record.architecture, &record.head, &record.training, &record.training_params, &record.recipe}) {
    *field = row.text();
  }
  record.seed = row.number();
  for (std::string* field : {&record.postprocessor, &record.postprocessor_params, &record.config_json, &record.flags})
    *field = row.text();
  return record;
}

RunStatus read_run(Row& row) {
  RunStatus run;
  run.id = row.number();
  run.attempt = row.small();
  run.state = row.state();
  run.context.owner = row.text();
  run.context.device = row.text();
  run.context.threads = row.small();
  run.context.engine_version = row.text();
  run.context.numerics = row.text();
  run.context.log_file = row.text();
  run.context.plugin_id = row.number();
  run.message = row.text();
  run.classifier = row.text();
  run.flags = row.text();
  const Times times = read_times(row);
  run.started_utc = times.started_utc;
  run.finished_utc = times.finished_utc;
  run.seconds = times.seconds;
  return run;
}

LeaderboardValue read_value(Row& row) {
  LeaderboardValue value;
  for (std::string* field : {&value.training, &value.training_params, &value.architecture, &value.head, &value.recipe,
                             &value.postprocessor, &value.postprocessor_params}) {
    *field = row.text();
  }
  value.seed = row.number();
  for (std::string* field :
       {&value.benchmark, &value.data_hash, &value.protocol, &value.group, &value.dataset, &value.metric}) {
    *field = row.text();
  }
  value.value = row.real();
  value.classifier = row.text();
  value.flags = canonical_flags(row.text());
  for (std::string* field :
       {&value.numerics, &value.engine_version, &value.training_version, &value.training_source_hash,
        &value.postprocessor_version, &value.postprocessor_source_hash, &value.cell_key}) {
    *field = row.text();
  }
  value.run_id = row.number();
  return value;
}

/// The one cell meant by `text`, "" if there is none. A whole key or a label beats a prefix.
std::string resolve(const Database& db, std::string_view text) {
  if (text.empty()) return "";
  struct Candidate {
    std::string key, label;
  };
  for (const char* condition : {"SELECT key, label FROM cell WHERE key = ?1 OR label = ?1 ORDER BY key",
                                "SELECT key, label FROM cell WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key"}) {
    const auto found = collect(db.query(condition, text), [](Row& row) { return Candidate{row.text(), row.text()}; });
    if (found.size() == 1) return found.front().key;
    if (found.empty()) continue;
    std::string names;
    for (std::size_t i = 0; i < found.size() && i < 8; ++i)
      names += fmt::format("\n  {}  {}", found[i].key.substr(0, 12), found[i].label);
    throw Error(ErrorKind::config, fmt::format("'{}' names {} cells; give more of the key:{}{}", text, found.size(),
                                               names, found.size() > 8 ? "\n  …" : ""));
  }
  return "";
}

}  // namespace

std::optional<CellState> Store::state(std::string_view key) const {
  return impl_->database.guarded([&]() -> std::optional<CellState> {
    SQLite::Statement statement = impl_->database.query("SELECT state FROM cell WHERE key = ?", key);
    if (!statement.executeStep()) return std::nullopt;
    return state_from_name(statement.getColumn(0).getString());
  });
}

std::vector<CellStatus> Store::cells(std::optional<std::string> experiment) const {
  const std::string sql = fmt::format(
      "{} JOIN (SELECT cell_key, min(experiment_id * 1000000000 + place) AS place FROM experiment_cell"
      " JOIN experiment ON experiment.id = experiment_id WHERE ?1 IS NULL OR experiment.name = ?1 GROUP BY cell_key) "
      "AS planned"
      " ON planned.cell_key = cell.key ORDER BY planned.place, cell.key",
      kCellStatus);
  return impl_->database.guarded([&] { return collect(impl_->database.query(sql.c_str(), experiment), read_status); });
}

std::optional<CellDetails> Store::find(std::string_view key_or_prefix) const {
  const Database& db = impl_->database;
  return db.guarded([&]() -> std::optional<CellDetails> {
    const std::string key = resolve(db, key_or_prefix);
    if (key.empty()) return std::nullopt;
    CellDetails details;
    details.record =
        collect(
            db.query(
                "SELECT key, kind, coalesce(train_key, ''), label, benchmark, data_hash, architecture, head, training,"
                " training_params, recipe, seed, postprocessor, postprocessor_params, config_json, flags"
                " FROM cell WHERE key = ?",
                key),
            read_record)
            .at(0);
    details.status =
        collect(db.query(fmt::format("{} WHERE cell.key = ?", kCellStatus).c_str(), key), read_status).at(0);
    details.runs =
        collect(db.query("SELECT id, attempt, state, owner, device, thread_count, engine_version, numerics, log_file,"
                         " coalesce(plugin_id, 0), message, classifier, flags, started_unix_ms, finished_unix_ms"
                         " FROM run WHERE cell_key = ? ORDER BY attempt",
                         key),
                read_run);
    const std::int64_t valid = db.number("SELECT id FROM v_valid_run WHERE cell_key = ?", key).value_or(0);
    details.metrics = collect(
        db.query("SELECT protocol, set_group, dataset, metric, value_fraction FROM metric WHERE run_id = ?", valid),
        [](Row& row) {
          return MetricRow{row.text(), row.text(), row.text(), row.text(), row.real()};
        });
    details.scores = collect(
        db.query("SELECT set_name, path, sha256, score_count FROM score_set WHERE run_id = ?", valid), [](Row& row) {
          return ScoreSetRow{row.text(), row.text(), row.text(), row.number()};
        });
    details.curve = collect(db.query("SELECT name, step, value FROM curve WHERE run_id = ? ORDER BY step, name", valid),
                            [](Row& row) {
                              return CurvePoint{row.text(), row.number(), row.real()};
                            });
    details.artifacts =
        collect(db.query("SELECT name, path, sha256, size_bytes FROM artifact WHERE run_id = ?", valid), [](Row& row) {
          return ArtifactRow{row.text(), row.text(), row.text(), row.number()};
        });
    return details;
  });
}

std::vector<EventRow> Store::events(std::size_t newest) const {
  return impl_->database.guarded([&] {
    auto rows = collect(
        impl_->database.query("SELECT time_unix_ms, level, cell_key, message FROM event ORDER BY id DESC LIMIT ?",
                              static_cast<std::int64_t>(newest)),
        [](Row& row) {
          return EventRow{utc_text(row.number()), row.text(), row.text(), row.text()};
        });
    std::ranges::reverse(rows);
    return rows;
  });
}

std::vector<std::string> Store::experiments() const {
  return impl_->database.guarded([&] {
    return collect(impl_->database.query("SELECT DISTINCT name FROM experiment ORDER BY name"),
                   [](Row& row) { return row.text(); });
  });
}

std::vector<BenchmarkRecord> Store::benchmarks() const {
  const Database& db = impl_->database;
  return db.guarded([&] {
    auto result = collect(db.query("SELECT name, data_hash, definition_json FROM benchmark ORDER BY name, data_hash"),
                          [](Row& row) {
                            return BenchmarkRecord{row.text(), row.text(), row.text(), {}};
                          });
    for (BenchmarkRecord& record : result) {
      record.sets = collect(db.query("SELECT name, set_group, role, image_count FROM benchmark_set"
                                     " WHERE benchmark = ? AND data_hash = ? ORDER BY place",
                                     record.name, record.data_hash),
                            [](Row& row) {
                              return BenchmarkSet{row.text(), row.text(), row.text(), row.number()};
                            });
    }
    return result;
  });
}

std::vector<PluginRecord> Store::plugins() const {
  return impl_->database.guarded([&] {
    return collect(
        impl_->database.query("SELECT kind, name, version, source_hash, binary_hash, build_tag FROM plugin"
                              " ORDER BY kind, name, version, source_hash, binary_hash, build_tag"),
        [](Row& row) { return PluginRecord{row.text(), row.text(), row.text(), row.text(), row.text(), row.text()}; });
  });
}

std::vector<LeaderboardValue> Store::leaderboard(std::optional<std::string> experiment) const {
  return impl_->database.guarded([&] {
    return collect(
        impl_->database.query(
            "SELECT * FROM v_leaderboard WHERE ?1 IS NULL OR cell_key IN (SELECT cell_key FROM experiment_cell"
            " JOIN experiment ON experiment.id = experiment_id WHERE experiment.name = ?1)"
            " ORDER BY benchmark, data_hash, protocol, training, training_params, architecture, recipe, postprocessor,"
            " postprocessor_params, seed, cell_key, set_group, dataset, metric",
            experiment),
        read_value);
  });
}

}  // namespace nearfar
