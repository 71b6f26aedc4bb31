#include "store/merge.h"

#include "base/error.h"
#include "store/address.h"
#include "store/merge_shard.h"
#include "store/parts.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <vector>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// Attempts are numbered anew below: nobody may be working by the old numbers.
void refuse_while_somebody_works(SqliteDatabase& target) {
  make_queue(target)->recover_stale();
  const auto running = target.text("SELECT owner FROM cell WHERE state = 'running' LIMIT 1");
  if (!running) return;
  throw Error(ErrorKind::store,
              fmt::format("{}: a process is working with it ({}); merge into a file of its own with -o, "
                          "or again when that has ended; nothing was merged",
                          target.file().string(), *running));
}

}  // namespace

MergeSummary merge_databases(const fs::path& target, std::span<const fs::path> shards, const MergeOptions& options) {
  constexpr const char* kInstead = "machines that share it need no merge: it has the results of all of them";
  refuse_server(target, "nearfar merge", kInstead);
  for (const fs::path& shard : shards) refuse_server(shard, "nearfar merge", kInstead);
  for (const fs::path& shard : shards) {
    std::error_code error;
    if (fs::equivalent(shard, target, error)) {
      throw Error(ErrorKind::config,
                  fmt::format("{}: is the database to merge into, too; name another file with -o", shard.string()));
    }
  }
  std::vector<std::unique_ptr<Shard>> opened;  // all of them are looked at before anything is made
  for (const fs::path& shard : shards) opened.push_back(std::make_unique<Shard>(shard));
  SqliteDatabase database(target, Database::Mode::write);
  return database.once(Database::Begin::exclusive, [&] {
    MergeSummary summary;
    refuse_while_somebody_works(database);
    for (const auto& shard : opened) {
      try {
        summary.shards.push_back(merge_shard(database, *shard, options, summary.disagreements));
      } catch (const SQLite::Exception& error) {
        // A full disk and the like are the target's; what is too large or of a wrong type, the shard's.
        const int code = error.getErrorCode() & 0xff;
        if (code == SQLITE_TOOBIG || code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_CORRUPT)
          shard->refuse(error.what());
        throw_store_error(target, error);
      }
    }
    // A cell that got runs from two shards is told as the last of them left it.
    auto& found = summary.disagreements;
    std::ranges::reverse(found);
    std::ranges::stable_sort(found, {}, [](const Disagreement& one) { return std::tie(one.label, one.key); });
    const auto [first, last] = std::ranges::unique(found, {}, &Disagreement::key);
    found.erase(first, last);
    summary.cells = database.number("SELECT count(*) FROM cell").value_or(0);
    summary.results = database.number("SELECT count(*) FROM v_valid_run").value_or(0);
    summary.runs = database.number("SELECT count(*) FROM run").value_or(0);
    summary.flagged = database
                          .number("SELECT count(*) FROM v_valid_run WHERE ';' || flags || ';' LIKE '%;' || ? || ';%'",
                                  std::string_view(kDisagreeFlag))
                          .value_or(0);
    return summary;
  });
}

}  // namespace nearfar
