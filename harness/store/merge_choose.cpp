/// Which of several runs of a cell counts, and whether they agree.
#include "base/text.h"
#include "store/merge_shard.h"
#include "store/parts.h"
#include "store/sqlite_rows.h"

#include <algorithm>
#include <tuple>

namespace nearfar {
namespace {

struct KnownRun {
  std::string uid, state;
  std::int64_t attempt = 0, location = 0;
};

std::vector<KnownRun> runs_of(const SqliteStatements& db, const std::string& key) {
  return collect_rows(
      db.query("SELECT uid, state, attempt, coalesce(location_id, 0) FROM run WHERE cell_key = ? ORDER BY attempt",
               key),
      [](SqliteRow& row) {
        return KnownRun{row.text(), row.text(), row.number(), row.number()};
      });
}

/// In the order in which they shall be numbered: the last one is the current attempt.
void number_anew(const SqliteStatements& db, const std::string& key, const std::vector<KnownRun>& runs) {
  const bool ordered = std::ranges::is_sorted(runs, std::ranges::less_equal{}, &KnownRun::attempt);
  if (!ordered) {  // by way of numbers that no attempt has: each is there once
    db.run("UPDATE run SET attempt = -attempt WHERE cell_key = ?", key);
    for (std::size_t i = 0; i < runs.size(); ++i)
      db.run("UPDATE run SET attempt = ? WHERE uid = ?", static_cast<std::int64_t>(i) + 1, runs[i].uid);
  }
  db.run("UPDATE cell SET attempt = coalesce((SELECT max(attempt) FROM run WHERE cell_key = ?1), 0) WHERE key = ?1",
         key);
}

void set_state(const SqliteStatements& db, const std::string& key, std::string_view state, std::string_view message) {
  db.run("UPDATE cell SET state = ?2, message = ?3, owner = '', lease_unix_ms = 0 WHERE key = ?1", key, state, message);
}

}  // namespace

void settle_cell(SqliteDatabase& target, const ShardCell& cell) {
  const SqliteStatements db(target);
  std::vector<KnownRun> runs = runs_of(db, cell.key);
  const std::string before = db.text("SELECT state FROM cell WHERE key = ?", cell.key).value();
  if (runs.empty()) {
    if (before == "planned" && cell.state == "not-applicable") set_state(db, cell.key, cell.state, cell.message);
    return;
  }
  const std::int64_t preferred =
      db.number(
            "SELECT location_id FROM cell JOIN v_valid_run AS train ON train.cell_key = cell.train_key WHERE key = ?",
            cell.key)
          .value_or(0);
  const auto of_shard = [&](const KnownRun& run) { return std::ranges::binary_search(cell.good_uids, run.uid); };
  const std::int64_t current = db.number("SELECT attempt FROM cell WHERE key = ?", cell.key).value();
  const auto is_good = [&](const KnownRun& run) {
    // The target's runs are numbered up to its current attempt; those of this shard come after it.
    return run.state == "ok" && (of_shard(run) || (before == "ok" && run.attempt <= current));
  };
  std::ranges::sort(runs, {}, [&](const KnownRun& run) {
    const bool good = is_good(run);
    return std::tuple(good, good && preferred != 0 && run.location == preferred, std::string_view(run.uid));
  });
  const KnownRun last = runs.back();
  const std::string newest = std::ranges::max_element(runs, {}, &KnownRun::uid)->uid;
  const bool newest_is_ours =
      db.number("SELECT 1 FROM run WHERE uid = ? AND attempt <= ?", newest, current).has_value();
  const bool good = is_good(last);
  number_anew(db, cell.key, runs);
  if (good) {
    set_state(db, cell.key, "ok", "");
  } else if (!newest_is_ours) {
    set_state(db, cell.key, cell.state == "running" ? "planned" : cell.state, cell.message);
  }
}

std::optional<Disagreement> compare_runs(SqliteDatabase& target, const ShardCell& cell, double tolerance) {
  const SqliteStatements db(target);
  std::vector<KnownRun> runs = runs_of(db, cell.key);
  std::erase_if(runs, [](const KnownRun& run) { return run.state != "ok"; });
  if (runs.size() < 2) return std::nullopt;
  SQLite::Statement widest = db.query(
      "WITH number AS (SELECT protocol || ' ' || set_group || '/' || dataset || ' ' || metric AS name, value_fraction "
      "AS"
      " value FROM metric JOIN run ON uid = run_uid WHERE cell_key = ?1 AND state = 'ok' UNION ALL SELECT 'validation"
      " accuracy', val_accuracy_fraction FROM run WHERE cell_key = ?1 AND state = 'ok')"
      " SELECT name, min(value), max(value) FROM number WHERE value IS NOT NULL GROUP BY name"
      " ORDER BY max(value) - min(value) DESC, name LIMIT 1",
      cell.key);
  Disagreement found{.key = cell.key, .label = cell.label, .runs = static_cast<std::int64_t>(runs.size())};
  if (widest.executeStep()) {
    SqliteRow row(widest);
    found.what = row.text();
    found.smallest = row.real();
    found.largest = row.real();
  }
  const bool differ = found.largest - found.smallest > tolerance;
  for (const KnownRun& run : runs) {
    const std::string flags = db.text("SELECT flags FROM run WHERE uid = ?", run.uid).value();
    std::vector<std::string> kept = split(flags, ';');
    std::erase(kept, kDisagreeFlag);
    if (differ) kept.emplace_back(kDisagreeFlag);
    const std::string now = canonical_flags(join(kept, ";"));
    if (now != flags) db.run("UPDATE run SET flags = ? WHERE uid = ?", now, run.uid);
  }
  if (!differ) return std::nullopt;
  found.kept_uid = db.text("SELECT uid FROM v_valid_run WHERE cell_key = ?", cell.key).value_or("");
  return found;
}

}  // namespace nearfar
