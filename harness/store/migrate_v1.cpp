/// Version 1 → 2. Version 1 numbered its runs, had no locations and no factors, kept parameter searches and the quality
/// of classifiers in curves of made-up names, and knew train and eval cells only.
#include "store/migrate.h"
#include "store/schema.h"

#include <fmt/core.h>

#include <array>

namespace nearfar {
namespace {

constexpr std::array kTables = {"benchmark", "benchmark_set",   "plugin", "config", "experiment",
                                "cell",      "experiment_cell", "run",    "metric", "score_set",
                                "curve",     "artifact",        "event"};

constexpr const char* kDropViews = R"sql(
DROP VIEW IF EXISTS v_leaderboard;
DROP VIEW IF EXISTS v_valid_run;
DROP INDEX IF EXISTS cell_train_key;
DROP INDEX IF EXISTS experiment_cell_key;
)sql";

// The tail of a uid comes from the cell's key, not from chance: whoever reads an old database without writing to it
// sees the same uids each time.
constexpr const char* kCopy = R"sql(
CREATE TABLE v1_uid(id INTEGER PRIMARY KEY, uid TEXT NOT NULL);
INSERT INTO v1_uid
  SELECT id, printf('%012x%08x%s', started_unix_ms, row_number() OVER (ORDER BY started_unix_ms, id),
                    substr(cell_key || '000000000000', 1, 12)) FROM v1_run;

INSERT INTO benchmark SELECT name, data_hash, definition_json FROM v1_benchmark;
INSERT INTO benchmark_set SELECT benchmark, data_hash, place, name, set_group, role, image_count FROM v1_benchmark_set;
INSERT INTO plugin SELECT id, kind, name, version, source_hash, binary_hash, build_tag FROM v1_plugin;
INSERT INTO location VALUES(1, '', '.');
INSERT INTO config SELECT hash, canonical_text, '' FROM v1_config;
INSERT INTO experiment SELECT id, name, config_hash, '', created_unix_ms,
                              row_number() OVER (ORDER BY created_unix_ms, id) FROM v1_experiment;

INSERT INTO cell
  SELECT key, kind,
         CASE kind WHEN 'train' THEN key
                   ELSE coalesce(train_key,
                                 json_extract(iif(json_valid(config_json), config_json, '{}'), '$.model'), key) END,
         train_key, label, benchmark, data_hash, architecture, head, training, training_params, recipe, seed, '',
         postprocessor, postprocessor_params, config_json, flags, iif(state IN ('hung', 'oom'), 'failed', state),
         attempt, owner, 0, message FROM v1_cell;
INSERT INTO cell_factor
  WITH identity AS (SELECT *, iif(json_valid(config_json), config_json, '{}') AS identity_text FROM v1_cell),
  entry AS (
    SELECT identity.key AS cell_key, 'train.' || recipe.key AS name, recipe.value, recipe.type
      FROM identity, json_each(identity_text, '$.recipe') AS recipe WHERE kind = 'train'
    UNION ALL SELECT key, 'loss', training, 'text' FROM identity WHERE kind = 'train'
    UNION ALL SELECT identity.key, 'loss.' || param.key, param.value, param.type
      FROM identity, json_each(identity_text, '$.loss.params') AS param WHERE kind = 'train'
    UNION ALL SELECT key, 'postprocessor', postprocessor, 'text' FROM identity WHERE kind = 'eval'
    UNION ALL SELECT identity.key, 'postprocessor.' || param.key, param.value, param.type
      FROM identity, json_each(identity_text, '$.postprocessor.params') AS param WHERE kind = 'eval'
    UNION ALL SELECT key, 'postprocessor.tune', identity_text ->> '$.grid', 'text'
      FROM identity WHERE kind = 'eval' AND json_type(identity_text, '$.grid') = 'text')
  SELECT cell_key, name, value, type IN ('true', 'false'), 0 FROM entry
  WHERE type IN ('true', 'false', 'integer', 'real', 'text');
INSERT INTO experiment_cell
  SELECT experiment_id, row_number() OVER (PARTITION BY experiment_id ORDER BY place, cell_key) - 1, cell_key
  FROM v1_experiment_cell;

INSERT INTO run
  SELECT uid, cell_key, attempt, iif(state IN ('hung', 'oom'), 'failed', state), owner, device, thread_count,
         engine_version, numerics, log_file, 1, plugin_id, started_unix_ms, finished_unix_ms, message, flags,
         classifier, train_seconds, epoch_count, final_train_loss, val_accuracy_fraction, fit_seconds, score_seconds
  FROM v1_run JOIN v1_uid USING(id);
INSERT INTO metric SELECT uid, protocol, set_group, dataset, metric, value_fraction
  FROM v1_metric JOIN v1_uid ON id = run_id;
INSERT INTO score_set SELECT uid, set_name, path, sha256, score_count FROM v1_score_set JOIN v1_uid ON id = run_id;
INSERT INTO artifact SELECT uid, name, path, sha256, size_bytes FROM v1_artifact JOIN v1_uid ON id = run_id;
INSERT INTO curve SELECT uid, name, step, value FROM v1_curve JOIN v1_uid ON id = run_id
  WHERE substr(name, 1, 5) <> 'tune ' AND name NOT IN ('quality nll', 'quality ece', 'quality accuracy');
INSERT INTO measure
  SELECT uid, 'test', substr(name, 9), iif(name = 'quality nll', 'nat', 'fraction'), value
  FROM v1_curve JOIN v1_uid ON id = run_id
  WHERE name IN ('quality nll', 'quality ece', 'quality accuracy') GROUP BY uid, name;
INSERT INTO tune_point
  WITH point AS (SELECT uid, row_number() OVER (PARTITION BY uid ORDER BY step, name) - 1 AS place,
                        substr(name, 6) AS params, value
                 FROM v1_curve JOIN v1_uid ON id = run_id WHERE substr(name, 1, 5) = 'tune ')
  SELECT uid, place, params, value, '', place = first_value(place) OVER (PARTITION BY uid ORDER BY value DESC, place)
  FROM point;
INSERT INTO event SELECT id, time_unix_ms, level, cell_key, message FROM v1_event;
DROP TABLE v1_uid;
)sql";

}  // namespace

void migrate_1_to_2(SQLite::Database& connection) {
  connection.exec(kDropViews);
  for (const char* table : kTables) connection.exec(fmt::format("ALTER TABLE {0} RENAME TO v1_{0}", table));
  connection.exec(kSchema2);
  connection.exec(kCopy);
  for (auto table = kTables.rbegin(); table != kTables.rend(); ++table)
    connection.exec(fmt::format("DROP TABLE v1_{}", *table));
}

}  // namespace nearfar
