#include "store/evidence.h"

#include "store/parts.h"
#include "store/process.h"
#include "store/shard.h"
#include "store/sqlite_database.h"
#include "store/sqlite_rows.h"

#include <algorithm>
#include <map>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

class EvidenceReader {
 public:
  explicit EvidenceReader(const fs::path& file) : shard_(file, "nothing of it was read") {}

  StoredEvidence read() {
    StoredEvidence evidence{.runs = runs(), .experiments = experiments(), .benchmarks = benchmarks(), .damage = {}};
    SQLite::Statement whole = shard_.query("PRAGMA integrity_check(5)");
    while (whole.executeStep()) {
      if (std::string text = whole.getColumn(0).getString(); text != "ok") evidence.damage.push_back(std::move(text));
    }
    return evidence;
  }

 private:
  std::string checked(SqliteRow& row, TextRule rule, std::string_view what) const {
    std::string text = row.text();
    shard_.check(text, rule, what);
    return text;
  }

  std::vector<EvidenceRun> runs() {
    std::vector<EvidenceRun> runs;
    SQLite::Statement rows = shard_.query(
        "SELECT uid, coalesce(host, ''), coalesce(root, ''), key, kind, model_key, coalesce(train_key, ''), label,"
        " benchmark, data_hash, architecture, head, training, training_params, recipe, seed, image_set, postprocessor,"
        " postprocessor_params, identity_json, cell.flags || ';' || run.flags FROM cell JOIN run ON cell_key = key"
        " LEFT JOIN location ON location.id = location_id WHERE cell.state = 'ok' AND run.state = 'ok'"
        " ORDER BY key, uid");
    while (rows.executeStep()) runs.push_back(read_run(rows));
    std::map<std::string, EvidenceRun*, std::less<>> by_uid;
    for (EvidenceRun& run : runs) by_uid.emplace(run.uid, &run);
    for_each_of(by_uid,
                "SELECT run_uid, protocol, set_group, dataset, metric, value_fraction FROM metric"
                " ORDER BY run_uid, protocol, set_group, dataset, metric",
                [&](EvidenceRun& run, SqliteRow& row) {
                  MetricRow metric;
                  for (std::string* field : {&metric.protocol, &metric.group, &metric.dataset, &metric.metric})
                    *field = checked(row, TextRule::name, "a metric's name");
                  metric.value = row.real();
                  run.metrics.push_back(std::move(metric));
                });
    for_each_of(by_uid, "SELECT run_uid, set_name, path, sha256, score_count FROM score_set ORDER BY run_uid, set_name",
                [&](EvidenceRun& run, SqliteRow& row) {
                  ScoreSetRow scores;
                  scores.set = checked(row, TextRule::path, "a score set's name");
                  scores.path = checked(row, TextRule::path, "a score file's path");
                  scores.sha256 = checked(row, TextRule::hex, "a score file's hash");
                  scores.count = row.number();
                  run.scores.push_back(std::move(scores));
                });
    for_each_of(by_uid, "SELECT run_uid, name, path, sha256, size_bytes FROM artifact ORDER BY run_uid, name",
                [&](EvidenceRun& run, SqliteRow& row) {
                  ArtifactRow artifact;
                  artifact.name = checked(row, TextRule::name, "an artifact's name");
                  artifact.path = checked(row, TextRule::path, "an artifact's path");
                  artifact.sha256 = checked(row, TextRule::hex, "an artifact's hash");
                  artifact.bytes = row.number();
                  run.artifacts.push_back(std::move(artifact));
                });
    return runs;
  }

  EvidenceRun read_run(SQLite::Statement& rows) const {
    SqliteRow row(rows);
    EvidenceRun run;
    run.uid = checked(row, TextRule::hex, "a run's uid");
    const std::string host = checked(row, TextRule::name, "a location's host"), root = row.text();
    shard_.check(root, host.empty() ? TextRule::path : TextRule::address, "a location's folder");
    run.beside = host.empty();
    if (host.empty()) {
      run.folder = root.empty() || root == "." ? shard_.folder() : shard_.folder() / root;
    } else if (host == host_name()) {
      run.folder = root;
    }
    CellRecord& cell = run.cell;
    cell.key = checked(row, TextRule::hex, "a cell's key");
    cell.kind = cell_kind_from_name(row.text());
    cell.model_key = checked(row, TextRule::hex, "a model's key");
    cell.train_key = checked(row, TextRule::hex, "a train cell's key");
    for (std::string* field : {&cell.label, &cell.benchmark, &cell.data_hash, &cell.architecture, &cell.head,
                               &cell.training, &cell.training_params, &cell.recipe}) {
      *field = checked(row, TextRule::name, "a cell's field");
    }
    cell.seed = row.number();
    for (std::string* field : {&cell.image_set, &cell.postprocessor, &cell.postprocessor_params})
      *field = checked(row, TextRule::name, "a cell's field");
    cell.identity_json = checked(row, TextRule::text, "a cell's identity");
    cell.flags = canonical_flags(checked(row, TextRule::name, "a cell's flags"));
    return run;
  }

  /// Calls `read` for rows of the given runs; the first column is the run's uid.
  template <class Read>
  void for_each_of(const std::map<std::string, EvidenceRun*, std::less<>>& by_uid, const char* sql, Read read) const {
    SQLite::Statement rows = shard_.query(sql);
    while (rows.executeStep()) {
      SqliteRow row(rows);
      const auto found = by_uid.find(row.text());
      if (found != by_uid.end()) read(*found->second, row);
    }
  }

  std::vector<ExperimentRecord> experiments() const {
    std::vector<ExperimentRecord> result;
    SQLite::Statement rows = shard_.query(
        "SELECT id, name, hash, canonical_text, composed_toml, profile_toml FROM experiment JOIN config"
        " ON hash = config_hash ORDER BY name, hash");
    while (rows.executeStep()) {
      SqliteRow row(rows);
      ExperimentRecord& one = result.emplace_back();
      one.id = row.number();
      one.name = checked(row, TextRule::name, "an experiment's name");
      one.hash = checked(row, TextRule::name, "a config's hash");
      one.canonical = checked(row, TextRule::text, "a config");
      one.composed = checked(row, TextRule::text, "a config");
      one.profile = checked(row, TextRule::text, "a profile");
    }
    return result;
  }

  std::vector<BenchmarkRecord> benchmarks() const {
    std::vector<BenchmarkRecord> result;
    SQLite::Statement rows =
        shard_.query("SELECT name, data_hash, definition_json FROM benchmark ORDER BY name, data_hash");
    while (rows.executeStep()) {
      SqliteRow row(rows);
      BenchmarkRecord& one = result.emplace_back();
      one.name = checked(row, TextRule::name, "a benchmark's name");
      one.data_hash = checked(row, TextRule::name, "a data hash");
      one.definition_json = checked(row, TextRule::text, "a benchmark's definition");
      SQLite::Statement sets = shard_.query(
          "SELECT name, set_group, role, image_count FROM benchmark_set WHERE benchmark = ? AND data_hash = ?"
          " ORDER BY place");
      sets.bind(1, one.name);
      sets.bind(2, one.data_hash);
      while (sets.executeStep()) {
        SqliteRow set(sets);
        BenchmarkSet& added = one.sets.emplace_back();
        for (std::string* field : {&added.name, &added.group, &added.role})
          *field = checked(set, TextRule::name, "a field of a set");
        added.image_count = set.number();
      }
    }
    return result;
  }

  Shard shard_;
};

}  // namespace

StoredEvidence read_evidence(const fs::path& database) {
  return translate(database, [&] { return EvidenceReader(database).read(); });
}

}  // namespace nearfar
