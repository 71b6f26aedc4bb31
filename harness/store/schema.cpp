#include "store/schema.h"

namespace nearfar {

// `cell` holds what was planned and where it stands; `run` holds one row per attempt; what an attempt measured hangs on
// its run. The current attempt of a cell is the run with the cell's attempt number: that number fences off attempts
// that were given up. `experiment.turn` counts up over all experiments: of several of one name the newest is the one
// asked for last, whatever the clock said. Key columns of tables WITHOUT ROWID come first and in order: the quick_check
// of SQLite 3.40 finds fault with others. `ready_change` counts what may have made a cell ready (queue.cpp).
const char* const kSchema2 = R"sql(
CREATE TABLE benchmark(
  name TEXT NOT NULL, data_hash TEXT NOT NULL, definition_json TEXT NOT NULL,
  PRIMARY KEY(name, data_hash)) STRICT;
CREATE TABLE benchmark_set(
  benchmark TEXT NOT NULL, data_hash TEXT NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, set_group TEXT NOT NULL,
  role TEXT NOT NULL, image_count INTEGER NOT NULL,
  PRIMARY KEY(benchmark, data_hash, place),
  FOREIGN KEY(benchmark, data_hash) REFERENCES benchmark(name, data_hash)) STRICT;
CREATE TABLE plugin(
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, source_hash TEXT NOT NULL,
  binary_hash TEXT NOT NULL, build_tag TEXT NOT NULL,
  UNIQUE(kind, name, version, source_hash, binary_hash, build_tag)) STRICT;
-- A folder beneath which runs left files. host '' : root is relative to the database's own folder.
CREATE TABLE location(
  id INTEGER PRIMARY KEY, host TEXT NOT NULL, root TEXT NOT NULL, UNIQUE(host, root)) STRICT;
CREATE TABLE config(hash TEXT PRIMARY KEY, canonical_text TEXT NOT NULL, composed_toml TEXT NOT NULL) STRICT;
CREATE TABLE experiment(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, config_hash TEXT NOT NULL REFERENCES config(hash),
  profile_toml TEXT NOT NULL, created_unix_ms INTEGER NOT NULL, turn INTEGER NOT NULL,
  UNIQUE(name, config_hash)) STRICT;

CREATE TABLE cell(
  key TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK(kind IN ('train', 'features', 'accuracy', 'eval')),
  model_key TEXT NOT NULL, train_key TEXT REFERENCES cell(key), label TEXT NOT NULL,
  benchmark TEXT NOT NULL, data_hash TEXT NOT NULL, architecture TEXT NOT NULL, head TEXT NOT NULL,
  training TEXT NOT NULL, training_params TEXT NOT NULL, recipe TEXT NOT NULL, seed INTEGER NOT NULL,
  image_set TEXT NOT NULL, postprocessor TEXT NOT NULL, postprocessor_params TEXT NOT NULL, identity_json TEXT NOT NULL,
  flags TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'planned' CHECK(state IN ('planned', 'running', 'ok', 'failed', 'crashed', 'timeout',
                                                        'nan', 'cancelled', 'invalid', 'not-applicable')),
  attempt INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '', lease_unix_ms INTEGER NOT NULL DEFAULT 0,
  message TEXT NOT NULL DEFAULT '',
  FOREIGN KEY(benchmark, data_hash) REFERENCES benchmark(name, data_hash)) STRICT;
CREATE INDEX cell_model_key ON cell(model_key);
CREATE INDEX cell_label ON cell(label);
CREATE INDEX cell_state ON cell(state, kind, key);  -- counts read no rows of cells
CREATE TABLE cell_factor(
  cell_key TEXT NOT NULL REFERENCES cell(key), name TEXT NOT NULL, value ANY NOT NULL,
  is_boolean INTEGER NOT NULL, is_default INTEGER NOT NULL,
  PRIMARY KEY(cell_key, name)) STRICT, WITHOUT ROWID;
CREATE TABLE experiment_cell(
  experiment_id INTEGER NOT NULL REFERENCES experiment(id), place INTEGER NOT NULL,
  cell_key TEXT NOT NULL REFERENCES cell(key), PRIMARY KEY(experiment_id, place)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX experiment_cell_key ON experiment_cell(cell_key, experiment_id);
CREATE TABLE ready_change(one INTEGER PRIMARY KEY CHECK(one = 1), change_count INTEGER NOT NULL) STRICT;
INSERT INTO ready_change VALUES(1, 0);

CREATE TABLE run(
  uid TEXT PRIMARY KEY, cell_key TEXT NOT NULL REFERENCES cell(key), attempt INTEGER NOT NULL, state TEXT NOT NULL,
  owner TEXT NOT NULL, device TEXT NOT NULL, thread_count INTEGER NOT NULL, engine_version TEXT NOT NULL,
  numerics TEXT NOT NULL, log_file TEXT NOT NULL, location_id INTEGER REFERENCES location(id),
  plugin_id INTEGER REFERENCES plugin(id), started_unix_ms INTEGER NOT NULL, finished_unix_ms INTEGER,
  message TEXT NOT NULL DEFAULT '', flags TEXT NOT NULL DEFAULT '', classifier TEXT NOT NULL DEFAULT '',
  train_seconds REAL, epoch_count INTEGER, final_train_loss REAL, val_accuracy_fraction REAL, fit_seconds REAL,
  score_seconds REAL, UNIQUE(cell_key, attempt)) STRICT;
CREATE TABLE metric(
  run_uid TEXT NOT NULL REFERENCES run(uid), protocol TEXT NOT NULL, set_group TEXT NOT NULL, dataset TEXT NOT NULL,
  metric TEXT NOT NULL, value_fraction REAL NOT NULL CHECK(value_fraction BETWEEN 0 AND 1),
  PRIMARY KEY(run_uid, protocol, set_group, dataset, metric)) STRICT, WITHOUT ROWID;
CREATE TABLE measure(
  run_uid TEXT NOT NULL REFERENCES run(uid), set_name TEXT NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL,
  value REAL NOT NULL, PRIMARY KEY(run_uid, set_name, name)) STRICT, WITHOUT ROWID;
CREATE TABLE score_set(
  run_uid TEXT NOT NULL REFERENCES run(uid), set_name TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
  score_count INTEGER NOT NULL, PRIMARY KEY(run_uid, set_name)) STRICT, WITHOUT ROWID;
CREATE TABLE curve(
  run_uid TEXT NOT NULL REFERENCES run(uid), name TEXT NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL,
  PRIMARY KEY(run_uid, name, step)) STRICT, WITHOUT ROWID;
CREATE TABLE tune_point(
  run_uid TEXT NOT NULL REFERENCES run(uid), place INTEGER NOT NULL, params TEXT NOT NULL, auroc_fraction REAL,
  refused TEXT NOT NULL, chosen INTEGER NOT NULL, PRIMARY KEY(run_uid, place)) STRICT, WITHOUT ROWID;
CREATE TABLE network_pass(
  run_uid TEXT NOT NULL REFERENCES run(uid), set_name TEXT NOT NULL, forward_images INTEGER NOT NULL,
  gradient_images INTEGER NOT NULL, changed_images INTEGER NOT NULL, float64_images INTEGER NOT NULL,
  PRIMARY KEY(run_uid, set_name)) STRICT, WITHOUT ROWID;
CREATE TABLE artifact(
  run_uid TEXT NOT NULL REFERENCES run(uid), name TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
  size_bytes INTEGER NOT NULL, PRIMARY KEY(run_uid, name)) STRICT, WITHOUT ROWID;
CREATE TABLE event(
  id INTEGER PRIMARY KEY, time_unix_ms INTEGER NOT NULL, level TEXT NOT NULL, cell_key TEXT NOT NULL,
  message TEXT NOT NULL) STRICT;

CREATE VIEW v_valid_run AS
  SELECT run.* FROM cell JOIN run ON run.cell_key = cell.key AND run.attempt = cell.attempt
  WHERE cell.state = 'ok' AND run.state = 'ok';
CREATE VIEW v_valid_cell AS
  SELECT cell.*, run.uid AS run_uid, run.flags AS run_flags, run.classifier, run.numerics, run.engine_version,
         run.plugin_id
  FROM cell JOIN run ON run.cell_key = cell.key AND run.attempt = cell.attempt
  WHERE cell.state = 'ok' AND run.state = 'ok';
)sql";

}  // namespace nearfar
