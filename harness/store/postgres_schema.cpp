#include "store/postgres_schema.h"

#include <array>

namespace nearfar {
namespace {

// The tables of schema.cpp and migrate_states.cpp together. A WORD is ordered by its bytes, as SQLite does, whatever
// the database's locale. A value of type ANY is JSON: a string, or a number, with point or exponent if it is no
// integer.
constexpr const char* kCreate3 = R"sql(
CREATE SCHEMA IF NOT EXISTS nearfar;
CREATE DOMAIN word AS TEXT COLLATE "C";
CREATE TABLE schema_version(version BIGINT NOT NULL);
INSERT INTO schema_version VALUES(3);
CREATE TABLE benchmark(
  name WORD NOT NULL, data_hash WORD NOT NULL, definition_json WORD NOT NULL,
  PRIMARY KEY(name, data_hash));
CREATE TABLE benchmark_set(
  benchmark WORD NOT NULL, data_hash WORD NOT NULL, place BIGINT NOT NULL, name WORD NOT NULL, set_group WORD NOT NULL,
  role WORD NOT NULL, image_count BIGINT NOT NULL,
  PRIMARY KEY(benchmark, data_hash, place),
  FOREIGN KEY(benchmark, data_hash) REFERENCES benchmark(name, data_hash));
CREATE TABLE plugin(
  id BIGSERIAL PRIMARY KEY, kind WORD NOT NULL, name WORD NOT NULL, version WORD NOT NULL, source_hash WORD NOT NULL,
  binary_hash WORD NOT NULL, build_tag WORD NOT NULL,
  UNIQUE(kind, name, version, source_hash, binary_hash, build_tag));
-- A folder beneath which runs left files. host '' : root is relative to the database's own folder.
CREATE TABLE location(
  id BIGSERIAL PRIMARY KEY, host WORD NOT NULL, root WORD NOT NULL, UNIQUE(host, root));
CREATE TABLE config(hash WORD PRIMARY KEY, canonical_text WORD NOT NULL, composed_toml WORD NOT NULL);
CREATE TABLE experiment(
  id BIGSERIAL PRIMARY KEY, name WORD NOT NULL, config_hash WORD NOT NULL REFERENCES config(hash),
  profile_toml WORD NOT NULL, created_unix_ms BIGINT NOT NULL, turn BIGINT NOT NULL,
  UNIQUE(name, config_hash));

CREATE TABLE cell(
  key WORD PRIMARY KEY, kind WORD NOT NULL CHECK(kind IN ('train', 'features', 'accuracy', 'eval')),
  model_key WORD NOT NULL, train_key WORD REFERENCES cell(key), label WORD NOT NULL,
  benchmark WORD NOT NULL, data_hash WORD NOT NULL, architecture WORD NOT NULL, head WORD NOT NULL,
  training WORD NOT NULL, training_params WORD NOT NULL, recipe WORD NOT NULL, seed BIGINT NOT NULL,
  image_set WORD NOT NULL, postprocessor WORD NOT NULL, postprocessor_params WORD NOT NULL, identity_json WORD NOT NULL,
  flags WORD NOT NULL,
  state WORD NOT NULL DEFAULT 'planned' CHECK(state IN ('planned', 'running', 'ok', 'failed', 'crashed', 'timeout',
                                                        'nan', 'oom', 'cancelled', 'invalid', 'not-applicable')),
  attempt BIGINT NOT NULL DEFAULT 0, owner WORD NOT NULL DEFAULT '', lease_unix_ms BIGINT NOT NULL DEFAULT 0,
  message WORD NOT NULL DEFAULT '',
  FOREIGN KEY(benchmark, data_hash) REFERENCES benchmark(name, data_hash));
CREATE INDEX cell_model_key ON cell(model_key);
CREATE INDEX cell_label ON cell(label);
CREATE INDEX cell_state ON cell(state, kind, key);  -- counts read no rows of cells
CREATE TABLE cell_factor(
  cell_key WORD NOT NULL REFERENCES cell(key), name WORD NOT NULL, value JSON NOT NULL,
  is_boolean BIGINT NOT NULL, is_default BIGINT NOT NULL,
  PRIMARY KEY(cell_key, name));
CREATE TABLE experiment_cell(
  experiment_id BIGINT NOT NULL REFERENCES experiment(id), place BIGINT NOT NULL,
  cell_key WORD NOT NULL REFERENCES cell(key), PRIMARY KEY(experiment_id, place));
CREATE UNIQUE INDEX experiment_cell_key ON experiment_cell(cell_key, experiment_id);
CREATE TABLE ready_change(one BIGINT PRIMARY KEY CHECK(one = 1), change_count BIGINT NOT NULL);
INSERT INTO ready_change VALUES(1, 0);

CREATE TABLE run(
  uid WORD PRIMARY KEY, cell_key WORD NOT NULL REFERENCES cell(key), attempt BIGINT NOT NULL, state WORD NOT NULL,
  owner WORD NOT NULL, device WORD NOT NULL, thread_count BIGINT NOT NULL, engine_version WORD NOT NULL,
  numerics WORD NOT NULL, log_file WORD NOT NULL, location_id BIGINT REFERENCES location(id),
  plugin_id BIGINT REFERENCES plugin(id), started_unix_ms BIGINT NOT NULL, finished_unix_ms BIGINT,
  message WORD NOT NULL DEFAULT '', flags WORD NOT NULL DEFAULT '', classifier WORD NOT NULL DEFAULT '',
  train_seconds DOUBLE PRECISION, epoch_count BIGINT, final_train_loss DOUBLE PRECISION,
  val_accuracy_fraction DOUBLE PRECISION, fit_seconds DOUBLE PRECISION,
  score_seconds DOUBLE PRECISION, UNIQUE(cell_key, attempt));
CREATE TABLE metric(
  run_uid WORD NOT NULL REFERENCES run(uid), protocol WORD NOT NULL, set_group WORD NOT NULL, dataset WORD NOT NULL,
  metric WORD NOT NULL, value_fraction DOUBLE PRECISION NOT NULL CHECK(value_fraction BETWEEN 0 AND 1),
  PRIMARY KEY(run_uid, protocol, set_group, dataset, metric));
CREATE TABLE measure(
  run_uid WORD NOT NULL REFERENCES run(uid), set_name WORD NOT NULL, name WORD NOT NULL, unit WORD NOT NULL,
  value DOUBLE PRECISION NOT NULL, PRIMARY KEY(run_uid, set_name, name));
CREATE TABLE score_set(
  run_uid WORD NOT NULL REFERENCES run(uid), set_name WORD NOT NULL, path WORD NOT NULL, sha256 WORD NOT NULL,
  score_count BIGINT NOT NULL, PRIMARY KEY(run_uid, set_name));
CREATE TABLE curve(
  run_uid WORD NOT NULL REFERENCES run(uid), name WORD NOT NULL, step BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL,
  PRIMARY KEY(run_uid, name, step));
CREATE TABLE tune_point(
  run_uid WORD NOT NULL REFERENCES run(uid), place BIGINT NOT NULL, params WORD NOT NULL,
  auroc_fraction DOUBLE PRECISION,
  refused WORD NOT NULL, chosen BIGINT NOT NULL, PRIMARY KEY(run_uid, place));
CREATE TABLE network_pass(
  run_uid WORD NOT NULL REFERENCES run(uid), set_name WORD NOT NULL, forward_images BIGINT NOT NULL,
  gradient_images BIGINT NOT NULL, changed_images BIGINT NOT NULL, float64_images BIGINT NOT NULL,
  PRIMARY KEY(run_uid, set_name));
CREATE TABLE artifact(
  run_uid WORD NOT NULL REFERENCES run(uid), name WORD NOT NULL, path WORD NOT NULL, sha256 WORD NOT NULL,
  size_bytes BIGINT NOT NULL, PRIMARY KEY(run_uid, name));
CREATE TABLE event(
  id BIGSERIAL PRIMARY KEY, time_unix_ms BIGINT NOT NULL, level WORD NOT NULL, cell_key WORD NOT NULL,
  message WORD NOT NULL);

CREATE VIEW v_valid_run AS
  SELECT run.* FROM cell JOIN run ON run.cell_key = cell.key AND run.attempt = cell.attempt
  WHERE cell.state = 'ok' AND run.state = 'ok';
CREATE VIEW v_valid_cell AS
  SELECT cell.*, run.uid AS run_uid, run.flags AS run_flags, run.classifier, run.numerics, run.engine_version,
         run.plugin_id
  FROM cell JOIN run ON run.cell_key = cell.key AND run.attempt = cell.attempt
  WHERE cell.state = 'ok' AND run.state = 'ok';
)sql";

// A cell may be `hung`.
constexpr const char* kFrom3To4 = R"sql(
ALTER TABLE cell DROP CONSTRAINT cell_state_check;
ALTER TABLE cell ADD CONSTRAINT cell_state_check
  CHECK(state IN ('planned', 'running', 'ok', 'failed', 'crashed', 'timeout', 'nan', 'oom', 'hung', 'cancelled',
                  'invalid', 'not-applicable'));
UPDATE schema_version SET version = 4;
)sql";

// The view of migrate_leaderboard.cpp.
constexpr const char* kFrom4To5 = R"sql(
CREATE VIEW v_leaderboard AS
WITH
  model_flag AS (
    SELECT model_key, kind, data_hash, flags || ';' || run_flags AS flags FROM v_valid_cell
    WHERE kind IN ('train', 'features', 'accuracy') AND flags || run_flags <> ''),
  subject AS (
    SELECT cell.key AS cell_key, cell.run_uid, cell.model_key, cell.label, cell.benchmark, cell.data_hash,
           cell.training, cell.training_params, cell.architecture, cell.head, cell.recipe, cell.seed,
           cell.postprocessor, cell.postprocessor_params,
           coalesce((SELECT string_agg(name || '=' || CASE is_boolean WHEN 1 THEN CASE value #>> '{}' WHEN '0' THEN 'false'
                                ELSE 'true' END ELSE value #>> '{}' END, ';' ORDER BY name)
              FROM cell_factor WHERE cell_key IN (cell.key, cell.train_key) AND is_default = 0 AND name <> 'seed'), '') AS factors,
           coalesce((SELECT string_agg(flags, ';' ORDER BY flags) FROM (
              SELECT btrim(cell.flags || ';' || cell.run_flags, ';') AS flags UNION
              SELECT btrim(model_flag.flags, ';') FROM model_flag WHERE model_flag.model_key = cell.model_key
                AND (model_flag.kind = 'train' OR model_flag.data_hash = cell.data_hash)) AS every
              WHERE flags <> ''), '') AS flags,
           cell.numerics, cell.engine_version,
           coalesce(loss.version, '') AS training_version, coalesce(loss.source_hash, '') AS training_source_hash,
           coalesce(plugin.version, '') AS postprocessor_version,
           coalesce(plugin.source_hash, '') AS postprocessor_source_hash,
           coalesce(
             (SELECT max(run_uid) FROM v_valid_cell AS same WHERE same.kind = 'accuracy'
                AND same.model_key = cell.model_key AND same.benchmark = cell.benchmark
                AND same.data_hash = cell.data_hash),
             (SELECT max(run.uid) FROM cell AS only_one LEFT JOIN run ON run.cell_key = only_one.key
                AND run.attempt = only_one.attempt AND run.state = 'ok' AND only_one.state = 'ok'
                WHERE only_one.kind = 'accuracy' AND only_one.model_key = cell.model_key
                AND only_one.benchmark = cell.benchmark HAVING count(*) = 1),
             trained.uid) AS accuracy_uid
    FROM v_valid_cell AS cell
    LEFT JOIN plugin ON plugin.id = cell.plugin_id
    LEFT JOIN v_valid_run AS trained ON trained.cell_key = cell.train_key
    LEFT JOIN plugin AS loss ON loss.id = trained.plugin_id
    WHERE cell.kind = 'eval'),
  number AS (
    SELECT run_uid, protocol, set_group, dataset, metric, value_fraction, 1 AS set_count FROM metric
    UNION ALL
    SELECT run_uid, protocol, set_group, 'mean', metric, avg(value_fraction), count(*) FROM metric
    WHERE set_group IN ('near', 'far') GROUP BY run_uid, protocol, set_group, metric
    UNION ALL
    SELECT subject.run_uid, accuracy.protocol, accuracy.set_group, accuracy.dataset, accuracy.metric,
           accuracy.value_fraction, 1
    FROM subject JOIN metric AS accuracy ON accuracy.run_uid = subject.accuracy_uid AND accuracy.set_group = 'id'
    WHERE EXISTS (SELECT 1 FROM metric AS own WHERE own.run_uid = subject.run_uid
                  AND own.protocol = accuracy.protocol)
      AND NOT EXISTS (SELECT 1 FROM metric AS own WHERE own.run_uid = subject.run_uid
                      AND own.protocol = accuracy.protocol AND own.set_group = accuracy.set_group
                      AND own.dataset = accuracy.dataset AND own.metric = accuracy.metric))
SELECT subject.benchmark, subject.data_hash, number.protocol, subject.training, subject.training_params,
       subject.architecture, subject.head, subject.recipe, subject.seed, subject.postprocessor,
       subject.postprocessor_params, subject.factors, number.set_group, number.dataset, number.metric,
       number.value_fraction, number.set_count, subject.flags,
       CASE WHEN ';' || subject.flags || ';' LIKE '%;partial;%' THEN 1 ELSE 0 END AS is_partial,
       subject.label, subject.cell_key, subject.run_uid, subject.model_key, subject.numerics, subject.engine_version,
       subject.training_version, subject.training_source_hash, subject.postprocessor_version,
       subject.postprocessor_source_hash
FROM subject JOIN number ON number.run_uid = subject.run_uid;
UPDATE schema_version SET version = 5;
)sql";

// As migrate_tier.cpp.
constexpr const char* kFrom5To6 = R"sql(
ALTER TABLE plugin ADD COLUMN tier WORD NOT NULL DEFAULT 'exact';
UPDATE schema_version SET version = 6;
)sql";

constexpr std::array kMigrations = {
    PostgresMigration{0, 3, kCreate3},  // servers came with version 3
    PostgresMigration{3, 4, kFrom3To4},
    PostgresMigration{4, 5, kFrom4To5},
    PostgresMigration{5, 6, kFrom5To6},
};

}  // namespace

std::span<const PostgresMigration> postgres_migrations() { return kMigrations; }

}  // namespace nearfar
