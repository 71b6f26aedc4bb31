/// The reading half of a Session: plain SELECTs into plain structs. find.cpp and frame.cpp have the two long ones.
#include "store/results.h"

#include "base/text.h"
#include "store/parts.h"
#include "store/rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

namespace nearfar {

std::string canonical_flags(std::string_view flags) {
  std::vector<std::string> parts = split(flags, ';');
  std::erase_if(parts, [](const std::string& part) { return part.empty(); });
  std::ranges::sort(parts);
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return join(parts, ";");
}

Times times_of(std::int64_t started, std::int64_t finished, std::int64_t now) {
  if (started == 0) return {};
  return {utc_text(started), finished == 0 ? "" : utc_text(finished),
          static_cast<double>((finished == 0 ? now : finished) - started) / 1000};
}

const char* const kSelectStatus =
    "SELECT cell.key, cell.kind, model_key, coalesce(train_key, ''), label, benchmark, image_set, cell.state,"
    " cell.attempt, cell.message, cell.owner, coalesce(location.host, ''), coalesce(location.root, ''),"
    " coalesce(run.log_file, ''), run.started_unix_ms, run.finished_unix_ms"
    " FROM cell LEFT JOIN run ON run.cell_key = cell.key AND run.attempt = cell.attempt"
    " LEFT JOIN location ON location.id = run.location_id ";

CellStatus read_status(Row& row, const Database& database) {
  CellStatus status;
  status.key = row.text();
  status.id = status.key.substr(0, 12);
  status.kind = row.kind();
  for (std::string* field :
       {&status.model_key, &status.train_key, &status.label, &status.benchmark, &status.image_set}) {
    *field = row.text();
  }
  status.state = row.state();
  status.attempt = row.small();
  status.message = row.text();
  status.owner = row.text();
  const std::string host = row.text(), root = row.text();
  status.log_file = located(database, host, root, row.text());
  const std::int64_t started = row.number(), finished = row.number();  // NULL reads as 0
  const Times times = times_of(started, finished, database.now());
  status.started_utc = times.started_utc;
  status.finished_utc = times.finished_utc;
  status.seconds = times.seconds;
  return status;
}

namespace {

// Cells that one engine has in hand start together and end one after the other. They share its log, and no other engine
// of the same process has that.
constexpr const char* kSelectCosts = R"sql(
WITH recent AS (
  SELECT * FROM run ORDER BY uid DESC LIMIT 20000),
timed AS (
  SELECT *, lag(finished_unix_ms) OVER (PARTITION BY owner, log_file ORDER BY finished_unix_ms, uid) AS before_unix_ms
  FROM recent WHERE finished_unix_ms IS NOT NULL)
SELECT kind, benchmark, data_hash, cell.flags, architecture,
       CASE kind WHEN 'train' THEN training WHEN 'features' THEN image_set ELSE postprocessor END AS what,
       CASE kind WHEN 'train' THEN training_params WHEN 'eval' THEN postprocessor_params ELSE '' END AS params,
       device, thread_count, count(*),
       sum(finished_unix_ms - CASE WHEN before_unix_ms > started_unix_ms THEN before_unix_ms ELSE started_unix_ms END)
         / 1000.0,
       coalesce(sum(epoch_count), 0)
FROM timed JOIN cell ON cell.key = timed.cell_key
WHERE timed.state = 'ok' AND (kind <> 'train' OR timed.attempt = 1)
GROUP BY kind, benchmark, data_hash, cell.flags, architecture, what, params, device, thread_count
ORDER BY kind, benchmark, data_hash, cell.flags, architecture, what, params, device, thread_count)sql";

class Results final : public ResultStore {
 public:
  explicit Results(Database& database) : db_(database) {}

  std::optional<CellState> state(std::string_view key) const override {
    return db_.reading([&]() -> std::optional<CellState> {
      const std::optional<std::string> name = db_.text("SELECT state FROM cell WHERE key = ?", key);
      return name ? std::optional(state_from_name(*name)) : std::nullopt;
    });
  }

  std::vector<CellCount> counts(std::optional<std::string> experiment) const override {
    // From indices alone, in their order.
    constexpr const char* kSql =
        "SELECT kind, state, count(*) FROM cell INDEXED BY cell_state WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM"
        " experiment_cell WHERE cell_key = key AND experiment_id IN (SELECT id FROM experiment WHERE name = ?1))"
        " GROUP BY state, kind";
    return db_.reading([&] {
      std::vector<CellCount> counts = collect(db_.query(kSql, experiment), [](Row& row) {
        return CellCount{row.kind(), row.state(), row.number()};
      });
      std::ranges::sort(counts, {}, [](const CellCount& count) { return std::pair(count.kind, count.state); });
      return counts;
    });
  }

  std::int64_t waiting_count(std::optional<std::string> experiment) const override {
    return db_.reading([&] {
      return db_
          .number(
              "WITH newest AS (SELECT id FROM experiment WHERE (?1 IS NULL OR name = ?1) AND turn ="
              " (SELECT max(turn) FROM experiment AS same WHERE same.name = experiment.name))"
              " SELECT count(*) FROM cell INDEXED BY cell_state WHERE state IN ('planned', 'running') AND EXISTS"
              " (SELECT 1 FROM experiment_cell WHERE cell_key = key AND experiment_id IN (SELECT id FROM newest))",
              experiment)
          .value_or(0);
    });
  }

  std::vector<CellStatus> cells(std::optional<std::string> experiment, std::vector<CellState> states) const override {
    std::string among;
    for (const CellState state : states) among += fmt::format("{}'{}'", among.empty() ? "" : ", ", state_name(state));
    // The first place that any of the experiments has for the cell; without an experiment it comes last.
    const std::string sql = fmt::format(
        "WITH planned AS MATERIALIZED (SELECT cell_key, min(experiment_id * 1000000000 + place) AS place"
        " FROM experiment_cell WHERE {1} experiment_id IN (SELECT id FROM experiment WHERE ?1 IS NULL OR name = ?1)"
        " GROUP BY cell_key) {0} {2} JOIN planned ON planned.cell_key = cell.key {3} ORDER BY"
        " planned.place IS NULL, planned.place, cell.key",
        kSelectStatus,
        states.empty() ? "" : fmt::format("cell_key IN (SELECT key FROM cell WHERE state IN ({})) AND", among),
        experiment ? "" : "LEFT", states.empty() ? "" : fmt::format("WHERE cell.state IN ({})", among));
    return db_.reading(
        [&] { return collect(db_.query(sql.c_str(), experiment), [&](Row& row) { return read_status(row, db_); }); });
  }

  std::optional<CellDetails> find(std::string_view key_or_prefix) const override {
    return db_.transaction(Database::Begin::snapshot, [&] { return find_cell(db_, key_or_prefix); });
  }

  std::vector<EventRow> events(std::size_t newest) const override {
    return db_.reading([&] {
      auto rows = collect(db_.query("SELECT time_unix_ms, level, cell_key, message FROM event ORDER BY id DESC LIMIT ?",
                                    static_cast<std::int64_t>(newest)),
                          [](Row& row) {
                            return EventRow{utc_text(row.number()), row.text(), row.text(), row.text()};
                          });
      std::ranges::reverse(rows);
      return rows;
    });
  }

  std::vector<std::string> experiments() const override {
    return db_.reading([&] {
      return collect(db_.query("SELECT DISTINCT name FROM experiment ORDER BY name"),
                     [](Row& row) { return row.text(); });
    });
  }

  std::optional<ExperimentRecord> experiment(std::string_view name) const override {
    return newest_experiment("name = ?", name);
  }

  std::optional<ExperimentRecord> experiment_with(std::string_view cell_key) const override {
    return newest_experiment("experiment.id IN (SELECT experiment_id FROM experiment_cell WHERE cell_key = ?)",
                             cell_key);
  }

  std::vector<BenchmarkRecord> benchmarks() const override {
    return db_.transaction(Database::Begin::snapshot, [&] {
      auto result = collect(
          db_.query("SELECT name, data_hash, definition_json FROM benchmark ORDER BY name, data_hash"), [](Row& row) {
            return BenchmarkRecord{row.text(), row.text(), row.text(), {}};
          });
      for (BenchmarkRecord& record : result) {
        record.sets = collect(db_.query("SELECT name, set_group, role, image_count FROM benchmark_set"
                                        " WHERE benchmark = ? AND data_hash = ? ORDER BY place",
                                        record.name, record.data_hash),
                              [](Row& row) {
                                return BenchmarkSet{row.text(), row.text(), row.text(), row.number()};
                              });
      }
      return result;
    });
  }

  std::vector<PluginRecord> plugins() const override {
    return db_.reading([&] {
      return collect(db_.query("SELECT kind, name, version, source_hash, binary_hash, build_tag, tier FROM plugin"
                               " ORDER BY kind, name, version, source_hash, binary_hash, build_tag"),
                     [](Row& row) {
                       return PluginRecord{row.text(), row.text(), row.text(), row.text(),
                                           row.text(), row.text(), row.text()};
                     });
    });
  }

  std::string stamp() const override {
    // Whatever begins an attempt adds a run, whatever ends one moves its cell from one state to another; what plans a
    // cell again, or joins flags in a merge, leaves an event or a run; another config is another turn.
    return db_.transaction(Database::Begin::snapshot, [&] {
      std::string stamp = fmt::format("{}.{}.{}.{}", db_.number("SELECT count(*) FROM run").value_or(0),
                                      db_.text("SELECT max(uid) FROM run").value_or(""),
                                      db_.number("SELECT max(id) FROM event").value_or(0),
                                      db_.number("SELECT max(turn) FROM experiment").value_or(0));
      for (const CellCount& count : counts(std::nullopt)) {
        stamp += fmt::format(".{}-{}-{}", kind_name(count.kind), state_name(count.state), count.count);
      }
      return stamp;
    });
  }

  std::vector<CostRow> costs() const override {
    return db_.reading([&] {
      return collect(db_.query(kSelectCosts), [](Row& row) {
        CostRow cost{.kind = row.kind()};
        for (std::string* field : {&cost.benchmark, &cost.data_hash, &cost.flags, &cost.architecture, &cost.what,
                                   &cost.params, &cost.device})
          *field = row.text();
        cost.threads = row.small();
        cost.runs = row.number();
        cost.seconds = row.real();
        cost.epochs = row.number();
        return cost;
      });
    });
  }

  ResultsFrame frame(std::optional<std::string> experiment) const override {
    return db_.transaction(Database::Begin::snapshot, [&] { return load_frame(db_, experiment); });
  }

 private:
  std::optional<ExperimentRecord> newest_experiment(std::string_view condition, std::string_view argument) const {
    const std::string sql = fmt::format(
        "SELECT name, canonical_text, hash, composed_toml, profile_toml, experiment.id FROM experiment JOIN config"
        " ON hash = config_hash WHERE {} ORDER BY turn DESC LIMIT 1",
        condition);
    return db_.reading([&]() -> std::optional<ExperimentRecord> {
      const auto newest = db_.query(sql.c_str(), argument);
      if (!newest->step()) return std::nullopt;
      Row row(*newest);
      return ExperimentRecord{row.text(), row.text(), row.text(), row.text(), row.text(), row.number()};
    });
  }

  Database& db_;
};

}  // namespace

std::unique_ptr<ResultStore> make_results(Database& database) { return std::make_unique<Results>(database); }

}  // namespace nearfar
