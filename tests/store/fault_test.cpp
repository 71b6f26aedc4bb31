/// Every write, and every flush, of the database fails once: nothing is lost, nothing is there twice.
#include "store/fixture.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <map>
#include <utility>

namespace nearfar {
namespace {

enum class Failing { write, sync };

/// SQLite's own file system, of which the n-th write or flush fails from `fail_at` on, `count` times.
struct FaultyDisk {
  Failing failing = Failing::write;
  int code = SQLITE_FULL;
  std::int64_t fail_at = 0, seen = 0, count = 1;
  bool fails(Failing what) {
    if (fail_at == 0 || what != failing) return false;
    ++seen;
    return seen >= fail_at && seen < fail_at + count;
  }
};
FaultyDisk disk;

const sqlite3_io_methods* usual_methods = nullptr;

int faulty_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  return disk.fails(Failing::write) ? disk.code : usual_methods->xWrite(file, bytes, size, offset);
}
int faulty_sync(sqlite3_file* file, int flags) {
  (void)file;
  (void)flags;
  return disk.fails(Failing::sync) ? SQLITE_IOERR_FSYNC : SQLITE_OK;  // without the waiting: no power fails in a test
}

int faulty_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* const usual = static_cast<sqlite3_vfs*>(vfs->pAppData);
  const int result = usual->xOpen(usual, name, file, flags, out_flags);
  if (result != SQLITE_OK || file->pMethods == nullptr) return result;
  // Files that nobody shares have other methods than databases, but write in the same way.
  static std::map<const sqlite3_io_methods*, sqlite3_io_methods> copies;
  const auto [ours, is_new] = copies.try_emplace(file->pMethods, *file->pMethods);
  usual_methods = file->pMethods;
  ours->second.xWrite = faulty_write;
  ours->second.xSync = faulty_sync;
  file->pMethods = &ours->second;
  return result;
}

class FaultyVfs {
 public:
  FaultyVfs() : usual_(sqlite3_vfs_find(nullptr)), ours_(*usual_) {
    ours_.zName = "faulty";
    ours_.pAppData = usual_;
    ours_.xOpen = faulty_open;
    sqlite3_vfs_register(&ours_, 1);
  }
  ~FaultyVfs() {
    sqlite3_vfs_register(usual_, 1);
    sqlite3_vfs_unregister(&ours_);
    disk = {};
  }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

 private:
  sqlite3_vfs* usual_;
  sqlite3_vfs ours_;
};

class FaultLoop : public ::testing::TestWithParam<std::pair<Failing, int>> {
 protected:
  static constexpr int kCells = 12;

  /// Plans and runs everything that is still to do, as `nearfar run` does.
  void work() {
    Session session = Session::open(file_);
    std::vector<CellRecord> cells;
    for (int seed = 0; seed < kCells; ++seed) cells.push_back(testing::train_cell("ce", seed));
    std::int64_t experiment = 0;
    session.in_transaction([&] {
      experiment = session.planning().put_experiment(testing::sample_experiment("one"));
      session.planning().put_benchmark(testing::sample_benchmark());
      testing::put(session, experiment, cells);
    });
    session.queue().recover_stale();
    while (const auto group = session.queue().next_ready(experiment, {})) {
      const std::string uid = session.queue().claim(group->keys.front(), testing::context()).value().run_uid;
      session.queue().finish(uid, testing::eval_result({0.8, 0.9, 0.9, 1}, {0, 0, 0, 0}));
      ++finished_;
    }
  }
  /// False if the fault was met.
  bool works() {
    try {
      work();
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::store) << error.what();
      EXPECT_NE(std::string(error.what()).find(file_.string()), std::string::npos) << error.what();
      return false;
    }
  }
  int valid() const { return SQLite::Database(file_.string()).execAndGet("SELECT count(*) FROM v_valid_run").getInt(); }
  /// The cells that this very process left running are taken over as if it were gone.
  void forget_leases() const {
    SQLite::Database database(file_.string(), SQLite::OPEN_READWRITE);
    if (database.tableExists("cell"))
      database.exec("UPDATE cell SET owner = '', lease_unix_ms = 0 WHERE state = 'running'");
  }

  TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "results.sqlite";
  int finished_ = 0;
};

TEST_P(FaultLoop, TheSameCommandGoesOnWithoutLoss) {
  const FaultyVfs vfs;
  std::int64_t faults = 0;
  for (std::int64_t at = 1;; ++at) {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file_.string() + end);
    finished_ = 0;
    disk = {GetParam().first, GetParam().second, at, 0, 1};
    const bool met = !works();
    faults += met ? 1 : 0;
    const bool past_the_last = disk.seen < at;
    disk = {};
    if (met && std::filesystem::exists(file_)) forget_leases();
    const int before = finished_;
    ASSERT_TRUE(works()) << "fault " << at;
    EXPECT_EQ(valid(), kCells) << "fault " << at;
    EXPECT_LE(finished_, kCells + 1) << "fault " << at << ": of " << before
                                     << " results none but the one whose commit was not confirmed is made again";
    SQLite::Database whole(file_.string());
    ASSERT_EQ(whole.execAndGet("PRAGMA integrity_check").getString(), "ok") << "fault " << at;
    EXPECT_EQ(whole.execAndGet("SELECT count(*) FROM run WHERE state = 'ok'").getInt(), kCells) << "fault " << at;
    if (past_the_last) break;
  }
  EXPECT_GT(faults, 20);
}
INSTANTIATE_TEST_SUITE_P(Disk, FaultLoop,
                         ::testing::Values(std::pair(Failing::write, SQLITE_FULL),
                                           std::pair(Failing::write, SQLITE_IOERR_WRITE),
                                           std::pair(Failing::sync, SQLITE_IOERR_FSYNC)),
                         [](const auto& fault) {
                           return std::string(fault.param.first == Failing::sync  ? "FlushFails"
                                              : fault.param.second == SQLITE_FULL ? "Full"
                                                                                  : "WriteFails");
                         });

}  // namespace
}  // namespace nearfar
