/// Version 4 → 5: the view v_leaderboard, for people and programs that ask the database itself: one row a number, of
/// every valid evaluation and seed. docs/dashboards.md lists its columns.
#include "store/migrate.h"

namespace nearfar {
namespace {

// What frame.cpp gathers, in SQL: the model's accuracy stands beside its evaluations' own numbers, and flags are those
// of everything that a number was made from. `subject` is used twice, so SQLite makes it once a query.
constexpr const char* kView = R"sql(
CREATE VIEW v_leaderboard AS
WITH
  model_flag AS (
    SELECT model_key, kind, data_hash, flags || ';' || run_flags AS flags FROM v_valid_cell
    WHERE kind IN ('train', 'features', 'accuracy') AND flags || run_flags <> ''),
  subject AS (
    SELECT cell.key AS cell_key, cell.run_uid, cell.model_key, cell.label, cell.benchmark, cell.data_hash,
           cell.training, cell.training_params, cell.architecture, cell.head, cell.recipe, cell.seed,
           cell.postprocessor, cell.postprocessor_params,
           coalesce((SELECT group_concat(name || '=' || value, ';') FROM (
              SELECT name, CASE is_boolean WHEN 1 THEN iif(value, 'true', 'false') ELSE value END AS value
              FROM cell_factor WHERE cell_key IN (cell.key, cell.train_key) AND is_default = 0 AND name <> 'seed'
              ORDER BY name)), '') AS factors,
           coalesce((SELECT group_concat(flags, ';') FROM (
              SELECT trim(cell.flags || ';' || cell.run_flags, ';') AS flags UNION
              SELECT trim(model_flag.flags, ';') FROM model_flag WHERE model_flag.model_key = cell.model_key
                AND (model_flag.kind = 'train' OR model_flag.data_hash = cell.data_hash))
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
)sql";

}  // namespace

void migrate_4_to_5(SQLite::Database& connection) { connection.exec(kView); }

}  // namespace nearfar
