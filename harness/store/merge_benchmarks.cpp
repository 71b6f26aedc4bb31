/// Benchmarks of a shard, and whether they are those that the merged results were made on.
#include "base/error.h"
#include "store/merge_shard.h"
#include "store/sqlite_rows.h"

#include <fmt/core.h>

namespace nearfar {
namespace {

std::string checked_name(const Shard& shard, SqliteRow& row, std::string_view what) {
  std::string text = row.text();
  shard.check(text, TextRule::name, what);
  return text;
}

void benchmark_sets(const SqliteStatements& db, const Shard& shard, const std::string& name, const std::string& hash) {
  SQLite::Statement rows = shard.query(
      "SELECT place, name, set_group, role, image_count FROM benchmark_set WHERE benchmark = ? AND data_hash = ?");
  rows.bind(1, name);
  rows.bind(2, hash);
  while (rows.executeStep()) {
    SqliteRow row(rows);
    const std::int64_t place = row.number();
    const std::string set = checked_name(shard, row, "a set's name"), group = checked_name(shard, row, "a set's group"),
                      role = checked_name(shard, row, "a set's role");
    db.run("INSERT INTO benchmark_set VALUES(?, ?, ?, ?, ?, ?, ?)", name, hash, place, set, group, role, row.number());
  }
}

/// Sets that both know must have the same contents. Which sets a plan reads depends on its postprocessors, so the
/// hash of the whole may differ; where a definition does not tell its sets, it alone decides.
void refuse_other_data(const SqliteStatements& db, const Shard& shard, const std::string& name, const std::string& hash,
                       const std::string& definition) {
  SQLite::Statement others =
      db.query("SELECT data_hash, definition_json FROM benchmark WHERE name = ? ORDER BY data_hash", name);
  while (others.executeStep()) {
    SqliteRow row(others);
    const std::string other_hash = row.text(), other = row.text();
    SQLite::Statement difference = db.query(
        "WITH texts AS (SELECT iif(json_valid(?1), ?1, '{}') AS one, iif(json_valid(?2), ?2, '{}') AS two),"
        " one AS (SELECT value ->> '$.name' AS name, value ->> '$.hash' AS hash FROM texts, json_each(one, "
        "'$.sets')),"
        " two AS (SELECT value ->> '$.name' AS name, value ->> '$.hash' AS hash FROM texts, json_each(two, '$.sets'))"
        " SELECT 'set ' || one.name || ' has other images' FROM one JOIN two USING(name) WHERE one.hash <> two.hash"
        " UNION ALL SELECT 'its classes or image shape differ' FROM texts WHERE one -> '$.classes' <> two ->"
        " '$.classes' OR one -> '$.shape' <> two -> '$.shape'"
        " UNION ALL SELECT 'its data hash differs' WHERE NOT EXISTS (SELECT 1 FROM one JOIN two USING(name)) LIMIT 1",
        definition, other);
    if (!difference.executeStep()) continue;
    throw Error(
        ErrorKind::store,
        fmt::format("{}: benchmark '{}' (data {}) is not the one that is merged already (data {}): {}; make the "
                    "results on the same data, or keep both as boards of their own with --allow-mixed; nothing "
                    "was merged",
                    shard.file().string(), name, hash.substr(0, 12), other_hash.substr(0, 12),
                    difference.getColumn(0).getString()));
  }
}

}  // namespace

bool merge_benchmarks(SqliteDatabase& target, const Shard& shard, bool allow_mixed) {
  const SqliteStatements db(target);
  bool changed = false;
  SQLite::Statement rows = shard.query("SELECT name, data_hash, definition_json FROM benchmark ORDER BY 1, 2");
  while (rows.executeStep()) {
    SqliteRow row(rows);
    const std::string name = checked_name(shard, row, "a benchmark's name"),
                      hash = checked_name(shard, row, "a data hash");
    const std::string definition = row.text();
    shard.check(definition, TextRule::text, "a benchmark's definition");
    if (db.number("SELECT 1 FROM benchmark WHERE name = ? AND data_hash = ?", name, hash)) continue;
    if (!allow_mixed) refuse_other_data(db, shard, name, hash, definition);
    db.run("INSERT INTO benchmark VALUES(?, ?, ?)", name, hash, definition);
    benchmark_sets(db, shard, name, hash);
    changed = true;
  }
  return changed;
}

}  // namespace nearfar
