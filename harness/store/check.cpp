/// Is a database whole, and are the files there that its results refer to?
#include "base/error.h"
#include "base/hash.h"
#include "store/address.h"
#include "store/garbage.h"
#include "store/parts.h"
#include "store/process.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/sqlite_database.h"
#include "store/upkeep.h"

#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include <map>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr int kMostRowsShown = 20;

constexpr const char* kDamaged =
    "move it away with its -wal and -shm files and put a backup in its place (`nearfar db backup` makes them), or "
    "start "
    "anew: checkpoints and features in the output folder are found again";

/// What SQLite itself finds, in the file as it lies there: an older schema is not migrated for it.
void check_file(const fs::path& file, DatabaseCheck& check) {
  const Connection connection = connect_for_reading(file);
  SQLite::Statement whole(*connection.database, fmt::format("PRAGMA integrity_check({})", kMostRowsShown));
  while (whole.executeStep()) {
    if (const std::string text = whole.getColumn(0).getString(); text != "ok")
      check.problems.push_back(fmt::format("{}: damaged: {}; {}", file.string(), text, kDamaged));
  }
  SQLite::Statement keys(*connection.database, "PRAGMA foreign_key_check");
  for (int shown = 0; shown < kMostRowsShown && keys.executeStep(); ++shown) {
    check.problems.push_back(fmt::format("{}: a row of table {} refers to one of {} that is not there; {}",
                                         file.string(), keys.getColumn(0).getString(), keys.getColumn(2).getString(),
                                         kDamaged));
  }
}

/// Things that no sequence of our transactions leaves behind.
void check_states(const Database& db, DatabaseCheck& check) {
  struct Rule {
    const char* sql;
    const char* what;
  };
  constexpr Rule kRules[] = {
      {"SELECT key FROM cell WHERE state = 'ok' AND NOT EXISTS (SELECT 1 FROM run WHERE cell_key = key AND run.attempt "
       "="
       " cell.attempt AND run.state = 'ok')",
       "is ok, but has no finished run"},
      {"SELECT key FROM cell WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM run WHERE cell_key = key AND"
       " run.attempt = cell.attempt AND run.state = 'running')",
       "is running, but has no run that is"},
      {"SELECT cell_key FROM run WHERE state = 'running' GROUP BY cell_key HAVING count(*) > 1",
       "has two runs at a time"},
      {"SELECT DISTINCT cell_key FROM run JOIN metric ON run_uid = uid WHERE run.state <> 'ok'",
       "has numbers of a run that did not end well"},
  };
  for (const Rule& rule : kRules) {
    const auto rows = db.query(rule.sql);
    for (int shown = 0; shown < kMostRowsShown && rows->step(); ++shown) {
      check.problems.push_back(fmt::format("cell {} {}; {}", rows->text(0).substr(0, 12), rule.what, kDamaged));
    }
  }
  for (const auto& [key, owner] :
       collect(db.query("SELECT key, owner FROM cell WHERE state = 'running' ORDER BY key"), [](Row& row) {
         return std::pair<std::string, std::string>{row.text(), row.text()};
       })) {
    if (owner_state(owner) == OwnerState::dead)
      check.notes.push_back(fmt::format("cell {} was left by process {}, which is gone; the next run takes it over",
                                        key.substr(0, 12), owner));
  }
}

struct ValidFile {
  std::string host, root, path, sha256, label, key;
  std::optional<std::int64_t> bytes;
};

/// "" if it is as it was written.
std::string fault_of(const fs::path& path, const ValidFile& file, bool deep, DatabaseCheck& check) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  if (error) return fmt::format("cannot be read: {}", error.message());
  ++check.file_count;
  check.file_bytes += size;
  if (file.bytes && size != static_cast<std::uint64_t>(*file.bytes))
    return fmt::format("has {} bytes, had {}", size, *file.bytes);
  if (!deep || file.sha256.empty()) return "";
  try {
    const std::string found = sha256_file(path);
    return found == file.sha256 ? ""
                                : fmt::format("has SHA-256 {}, had {}", found.substr(0, 12), file.sha256.substr(0, 12));
  } catch (const Error& unreadable) {
    return unreadable.what();
  }
}

void check_files(const Database& db, bool deep, DatabaseCheck& check) {
  const auto files = collect(
      db.query("SELECT host, root, path, sha256, label, key, size_bytes FROM v_valid_run AS run JOIN cell ON key ="
               " cell_key JOIN location ON location.id = location_id JOIN (SELECT run_uid, path, sha256,"
               " size_bytes FROM artifact UNION ALL SELECT run_uid, path, sha256, NULL FROM score_set)"
               " ON run_uid = run.uid ORDER BY key, path"),
      [](Row& row) {
        return ValidFile{row.text(), row.text(), row.text(), row.text(), row.text(), row.text(), row.maybe_number()};
      });
  const std::string here = host_name();
  std::map<std::string, std::int64_t> elsewhere;
  for (const ValidFile& file : files) {
    const fs::path path = location_folder(db, file.host, file.root) / file.path;
    std::error_code error;
    if (!file.host.empty() && file.host != here && !fs::exists(path, error)) {
      ++elsewhere[file.host];
      ++check.elsewhere_count;
      continue;
    }
    if (const std::string fault = fault_of(path, file, deep, check); !fault.empty()) {
      check.problems.push_back(
          fmt::format("{}: {}; it belongs to {} ({}): run its experiment again, which makes it anew", path.string(),
                      fault, file.label, file.key.substr(0, 12)));
    }
  }
  for (const auto& [host, count] : elsewhere)
    check.notes.push_back(fmt::format("{} files lie on host {}: check them there", count, host));
}

}  // namespace

DatabaseCheck check_database(const fs::path& file, bool deep) {
  refuse_server(file, "nearfar db check", "have it checked with its own tool: pg_amcheck");
  DatabaseCheck check;
  SqliteDatabase database(file, Database::Mode::read_only);
  translate(file, [&] { check_file(file, check); });
  if (!check.problems.empty()) return check;  // what a damaged database says of files is worth nothing
  database.once(Database::Begin::snapshot, [&] {
    check.cell_count = database.number("SELECT count(*) FROM cell").value_or(0);
    check.result_count = database.number("SELECT count(*) FROM v_valid_run").value_or(0);
    check_states(database, check);
    check_files(database, deep, check);
    Garbage garbage = find_garbage(database);
    check.leftovers = std::move(garbage.leftovers);
  });
  return check;
}

}  // namespace nearfar
