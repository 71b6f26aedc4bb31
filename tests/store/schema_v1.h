#pragma once
/// The schema as version 1 of the database had it, to make such databases in tests. Never changes.
namespace nearfar::testing {

inline constexpr const char* kSchema1 = R"sql(
CREATE TABLE benchmark(
  name TEXT NOT NULL, data_hash TEXT NOT NULL, definition_json TEXT NOT NULL,
  PRIMARY KEY(name, data_hash)) STRICT;
CREATE TABLE benchmark_set(
  benchmark TEXT NOT NULL, data_hash TEXT NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, set_group TEXT NOT NULL,
  role TEXT NOT NULL, image_count INTEGER NOT NULL,
  PRIMARY KEY(benchmark, data_hash, place), FOREIGN KEY(benchmark, data_hash) REFERENCES benchmark(name, data_hash)) STRICT;
CREATE TABLE plugin(
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, source_hash TEXT NOT NULL,
  binary_hash TEXT NOT NULL, build_tag TEXT NOT NULL, UNIQUE(kind, name, version, source_hash, binary_hash, build_tag)) STRICT;
CREATE TABLE config(hash TEXT PRIMARY KEY, canonical_text TEXT NOT NULL) STRICT;
CREATE TABLE experiment(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, config_hash TEXT NOT NULL REFERENCES config(hash), created_unix_ms INTEGER NOT NULL,
  UNIQUE(name, config_hash)) STRICT;

CREATE TABLE cell(
  key TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK(kind IN ('train', 'eval')), train_key TEXT REFERENCES cell(key), label TEXT NOT NULL,
  benchmark TEXT NOT NULL, data_hash TEXT NOT NULL, architecture TEXT NOT NULL, head TEXT NOT NULL,
  training TEXT NOT NULL, training_params TEXT NOT NULL, recipe TEXT NOT NULL, seed INTEGER NOT NULL,
  postprocessor TEXT NOT NULL, postprocessor_params TEXT NOT NULL, config_json TEXT NOT NULL, flags TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'planned' CHECK(state IN ('planned', 'running', 'ok', 'failed', 'crashed', 'hung', 'oom', 'timeout', 'nan',
                                                        'cancelled', 'invalid', 'not-applicable')),
  attempt INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
  FOREIGN KEY(benchmark, data_hash) REFERENCES benchmark(name, data_hash)) STRICT;
CREATE INDEX cell_train_key ON cell(train_key);
CREATE TABLE experiment_cell(
  experiment_id INTEGER NOT NULL REFERENCES experiment(id), cell_key TEXT NOT NULL REFERENCES cell(key), place INTEGER NOT NULL,
  PRIMARY KEY(experiment_id, cell_key)) STRICT, WITHOUT ROWID;
CREATE INDEX experiment_cell_key ON experiment_cell(cell_key);

CREATE TABLE run(
  id INTEGER PRIMARY KEY, cell_key TEXT NOT NULL REFERENCES cell(key), attempt INTEGER NOT NULL, state TEXT NOT NULL,
  owner TEXT NOT NULL, device TEXT NOT NULL, thread_count INTEGER NOT NULL, engine_version TEXT NOT NULL, numerics TEXT NOT NULL,
  log_file TEXT NOT NULL, plugin_id INTEGER REFERENCES plugin(id),
  started_unix_ms INTEGER NOT NULL, finished_unix_ms INTEGER, message TEXT NOT NULL DEFAULT '', flags TEXT NOT NULL DEFAULT '',
  classifier TEXT NOT NULL DEFAULT '', train_seconds REAL, epoch_count INTEGER, final_train_loss REAL, val_accuracy_fraction REAL,
  fit_seconds REAL, score_seconds REAL, UNIQUE(cell_key, attempt)) STRICT;
CREATE TABLE metric(
  run_id INTEGER NOT NULL REFERENCES run(id), protocol TEXT NOT NULL, set_group TEXT NOT NULL, dataset TEXT NOT NULL, metric TEXT NOT NULL,
  value_fraction REAL NOT NULL CHECK(value_fraction BETWEEN 0 AND 1),
  PRIMARY KEY(run_id, protocol, set_group, dataset, metric)) STRICT, WITHOUT ROWID;
CREATE TABLE score_set(
  run_id INTEGER NOT NULL REFERENCES run(id), set_name TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
  score_count INTEGER NOT NULL, PRIMARY KEY(run_id, set_name)) STRICT, WITHOUT ROWID;
CREATE TABLE curve(
  run_id INTEGER NOT NULL REFERENCES run(id), name TEXT NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL,
  PRIMARY KEY(run_id, name, step)) STRICT, WITHOUT ROWID;
CREATE TABLE artifact(
  run_id INTEGER NOT NULL REFERENCES run(id), name TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL,
  PRIMARY KEY(run_id, name)) STRICT, WITHOUT ROWID;
CREATE TABLE event(
  id INTEGER PRIMARY KEY, time_unix_ms INTEGER NOT NULL, level TEXT NOT NULL, cell_key TEXT NOT NULL, message TEXT NOT NULL) STRICT;

CREATE VIEW v_valid_run AS
  SELECT run.* FROM run JOIN cell ON cell.key = run.cell_key AND cell.attempt = run.attempt
  WHERE cell.state = 'ok' AND run.state = 'ok';

-- One row per metric and seed. Accuracy belongs to the model: it comes from the train run, unless the eval run brought its own.
CREATE VIEW v_leaderboard AS
  WITH evaluation AS (
    SELECT cell.*, run.id AS run_id, run.numerics, run.engine_version, train_run.id AS train_run_id,
           CASE WHEN run.classifier <> '' THEN run.classifier ELSE coalesce(train_run.classifier, '') END AS classifier,
           cell.flags || ';' || run.flags || ';' || coalesce(train_cell.flags, '') || ';' || coalesce(train_run.flags, '') AS all_flags,
           coalesce(loss.version, '') AS training_version, coalesce(loss.source_hash, '') AS training_source_hash,
           coalesce(post.version, '') AS postprocessor_version, coalesce(post.source_hash, '') AS postprocessor_source_hash
    FROM v_valid_run AS run JOIN cell ON cell.key = run.cell_key
    LEFT JOIN cell AS train_cell ON train_cell.key = cell.train_key
    LEFT JOIN v_valid_run AS train_run ON train_run.cell_key = cell.train_key
    LEFT JOIN plugin AS loss ON loss.id = train_run.plugin_id
    LEFT JOIN plugin AS post ON post.id = run.plugin_id
    WHERE cell.kind = 'eval'),
  measured AS (
    SELECT evaluation.run_id AS of_run, metric.* FROM evaluation JOIN metric ON metric.run_id = evaluation.run_id
    UNION ALL
    SELECT evaluation.run_id, metric.* FROM evaluation JOIN metric ON metric.run_id = evaluation.train_run_id
    WHERE metric.set_group = 'id'
      AND EXISTS (SELECT 1 FROM metric AS own WHERE own.run_id = evaluation.run_id AND own.protocol = metric.protocol)
      AND NOT EXISTS (SELECT 1 FROM metric AS own WHERE own.run_id = evaluation.run_id AND own.protocol = metric.protocol
                      AND own.set_group = 'id' AND own.dataset = metric.dataset AND own.metric = metric.metric))
  SELECT training, training_params, architecture, head, recipe, postprocessor, postprocessor_params, seed, benchmark, data_hash,
         measured.protocol, measured.set_group, measured.dataset, measured.metric, measured.value_fraction, classifier,
         all_flags AS flags, numerics, engine_version, training_version, training_source_hash, postprocessor_version,
         postprocessor_source_hash, key AS cell_key, evaluation.run_id AS run_id
  FROM evaluation JOIN measured ON measured.of_run = evaluation.run_id;
PRAGMA application_id = 0x4E464152;
PRAGMA user_version = 1;
)sql";

}  // namespace nearfar::testing
