/// Version 2 → 3: a cell may be `oom`; 3 → 4: `hung`. SQLite cannot change a CHECK, so the table is made anew.
#include "store/migrate.h"

#include <fmt/core.h>

namespace nearfar {
namespace {

constexpr const char* kRebuild = R"sql(
DROP VIEW v_valid_run;
DROP VIEW v_valid_cell;
CREATE TABLE cell_new(
  key TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK(kind IN ('train', 'features', 'accuracy', 'eval')),
  model_key TEXT NOT NULL, train_key TEXT REFERENCES cell(key), label TEXT NOT NULL,
  benchmark TEXT NOT NULL, data_hash TEXT NOT NULL, architecture TEXT NOT NULL, head TEXT NOT NULL,
  training TEXT NOT NULL, training_params TEXT NOT NULL, recipe TEXT NOT NULL, seed INTEGER NOT NULL,
  image_set TEXT NOT NULL, postprocessor TEXT NOT NULL, postprocessor_params TEXT NOT NULL, identity_json TEXT NOT NULL,
  flags TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'planned' CHECK(state IN ({})),
  attempt INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '', lease_unix_ms INTEGER NOT NULL DEFAULT 0,
  message TEXT NOT NULL DEFAULT '',
  FOREIGN KEY(benchmark, data_hash) REFERENCES benchmark(name, data_hash)) STRICT;
INSERT INTO cell_new SELECT key, kind, model_key, train_key, label, benchmark, data_hash, architecture, head, training,
  training_params, recipe, seed, image_set, postprocessor, postprocessor_params, identity_json, flags, state, attempt,
  owner, lease_unix_ms, message FROM cell ORDER BY rowid;
DROP TABLE cell;
ALTER TABLE cell_new RENAME TO cell;
CREATE INDEX cell_model_key ON cell(model_key);
CREATE INDEX cell_label ON cell(label);
CREATE INDEX cell_state ON cell(state, kind, key);
CREATE VIEW v_valid_run AS
  SELECT run.* FROM cell JOIN run ON run.cell_key = cell.key AND run.attempt = cell.attempt
  WHERE cell.state = 'ok' AND run.state = 'ok';
CREATE VIEW v_valid_cell AS
  SELECT cell.*, run.uid AS run_uid, run.flags AS run_flags, run.classifier, run.numerics, run.engine_version,
         run.plugin_id
  FROM cell JOIN run ON run.cell_key = cell.key AND run.attempt = cell.attempt
  WHERE cell.state = 'ok' AND run.state = 'ok';
)sql";

void rebuild_with(SQLite::Database& connection, const char* states) {
  connection.exec(fmt::format(fmt::runtime(kRebuild), states));
}

}  // namespace

void migrate_2_to_3(SQLite::Database& connection) {
  rebuild_with(connection,
               "'planned', 'running', 'ok', 'failed', 'crashed', 'timeout', 'nan', 'oom', 'cancelled', 'invalid', "
               "'not-applicable'");
}

void migrate_3_to_4(SQLite::Database& connection) {
  rebuild_with(connection,
               "'planned', 'running', 'ok', 'failed', 'crashed', 'timeout', 'nan', 'oom', 'hung', 'cancelled', "
               "'invalid', 'not-applicable'");
}

}  // namespace nearfar
