/// nearfar db check, backup and gc.
#include "store/upkeep.h"

#include "base/error.h"
#include "store/fixture.h"
#include "store/shard_sample.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

std::string short_key(const CellRecord& cell) { return cell.key.substr(0, 16); }

/// An output folder with the files of a training, of features and of scores, all of them valid.
class Upkeep : public testing::StoreTest {
 protected:
  Upkeep() {
    passes_ = testing::model_cell(train_, CellKind::features, "test");
    put({train_, passes_, eval_});
    finish_train(folder_);
    finish(passes_, folder_, "cache/" + short_key(train_) + "/test/manifest.json");
    write("cache/" + short_key(train_) + "/test/features.npy", "features");
    write("cache/" + short_key(train_) + "/head/weight.npy", "head");
    finish(eval_, folder_, "cells/" + short_key(eval_) + "/scores/test.npy");
  }
  void write(const fs::path& path, const std::string& content) const {
    write_file_atomic(path.is_absolute() ? path : folder_ / path, content);
  }
  std::string claim_in(const CellRecord& cell, const fs::path& out, const std::string& log = "") {
    RunContext with = testing::context();
    with.location = planning_.put_location(out);
    with.log_file = log;
    return queue_.claim(cell.key, with).value().run_uid;
  }
  void finish(const CellRecord& cell, const fs::path& out, const std::string& path) {
    const std::string uid = claim_in(cell, out);
    write(out / path, "content");
    Outcome outcome;
    outcome.artifacts = {{"file", path, sha256("content"), 7}};
    queue_.finish(uid, outcome);
  }
  void finish_train(const fs::path& out) {
    const std::string folder = "cells/" + short_key(train_) + "/";
    write(out / (folder + "best.json"), "{}");
    finish(train_, out, folder + "best.safetensors");
  }
  static void age(const fs::path& path) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(3));
  }
  std::vector<std::string> garbage(bool dry_run = true) const {
    std::vector<std::string> paths;
    for (const Leftover& one : collect_garbage(file_, dry_run).leftovers)
      paths.push_back(one.path.lexically_relative(folder_).string());
    return paths;
  }
  using Paths = std::vector<std::string>;
  std::vector<std::string> problems(bool deep = false) const { return check_database(file_, deep).problems; }

  CellRecord passes_;
};

TEST_F(Upkeep, WholeDatabaseIsWell) {
  const DatabaseCheck check = check_database(file_, true);
  EXPECT_EQ(check.problems, Paths{});
  EXPECT_EQ(check.cell_count, 3);
  EXPECT_EQ(check.result_count, 3);
  EXPECT_EQ(check.file_count, 3);
  EXPECT_EQ(check.file_bytes, 21u);
  EXPECT_EQ(check.leftovers.size(), 0u);
}

TEST_F(Upkeep, FileThatIsGoneIsNamedWithItsCell) {
  fs::remove(folder_ / "cells" / short_key(train_) / "best.safetensors");
  ASSERT_EQ(problems().size(), 1u);
  EXPECT_NE(problems()[0].find("best.safetensors"), std::string::npos);
  EXPECT_NE(problems()[0].find(train_.label), std::string::npos);
  EXPECT_NE(problems()[0].find("run its experiment again"), std::string::npos);
}

TEST_F(Upkeep, FileOfAnotherSizeIsFoundAndDeepAlsoOneOfOtherBytes) {
  write("cells/" + short_key(eval_) + "/scores/test.npy", "c0ntent");
  EXPECT_EQ(problems(false).size(), 0u);
  ASSERT_EQ(problems(true).size(), 1u);
  EXPECT_NE(problems(true)[0].find("SHA-256"), std::string::npos);
  write("cells/" + short_key(eval_) + "/scores/test.npy", "short");
  ASSERT_EQ(problems(false).size(), 1u);
  EXPECT_NE(problems(false)[0].find("has 5 bytes, had 7"), std::string::npos);
}

TEST_F(Upkeep, FilesOfOtherHostsAreNoted) {
  SQLite::Database(file_.string(), SQLite::OPEN_READWRITE)
      .exec("UPDATE location SET host = 'farbox', root = '/no/where'");
  const DatabaseCheck check = check_database(file_, false);
  EXPECT_EQ(check.problems, Paths{});
  EXPECT_EQ(check.elsewhere_count, 3);
  EXPECT_EQ(check.notes, Paths{"3 files lie on host farbox: check them there"});
}

TEST_F(Upkeep, StatesThatContradictEachOtherAreFound) {
  SQLite::Database raw(file_.string(), SQLite::OPEN_READWRITE);
  raw.exec("UPDATE run SET state = 'failed' WHERE cell_key = '" + eval_.key + "'");
  ASSERT_EQ(problems().size(), 1u);
  EXPECT_NE(problems()[0].find("is ok, but has no finished run"), std::string::npos);
  raw.exec("DELETE FROM benchmark");
  EXPECT_GT(problems().size(), 0u);
  EXPECT_NE(problems()[0].find("refers to one of benchmark that is not there"), std::string::npos);
}

TEST_F(Upkeep, DamagedDatabaseIsRefusedWithAdvice) {
  const fs::path copy = folder_ / "copy.sqlite";
  back_up_database(file_, copy);
  std::string bytes = read_file(copy);
  for (std::size_t i = 8192; i < bytes.size(); i += 3) bytes[i] = '\x5a';
  write_file_atomic(copy, bytes);
  try {
    check_database(copy, false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::store);
    EXPECT_NE(std::string(error.what()).find("damaged"), std::string::npos);
  }
}

TEST_F(Upkeep, BackupHoldsOneStateAlsoWhileOthersWrite) {
  const fs::path copy = folder_ / "backup.sqlite";
  session_.in_transaction([&] {
    queue_.event("info", "", "not committed");
    back_up_database(file_, copy);
  });
  EXPECT_EQ(check_database(copy, false).problems, Paths{});
  const Session session = Session::open_read_only(copy);
  EXPECT_EQ(session.results().cells().size(), 3u);
  for (const EventRow& event : session.results().events()) EXPECT_NE(event.message, "not committed");
}

TEST_F(Upkeep, BackupIsNeverWrittenOver) {
  write("backup.sqlite", "precious");
  try {
    back_up_database(file_, folder_ / "backup.sqlite");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
  }
  EXPECT_EQ(read_file(folder_ / "backup.sqlite"), "precious");
  EXPECT_THROW(back_up_database(file_, folder_ / "no" / "folder" / "b.sqlite"), Error);
}

TEST_F(Upkeep, NothingOfAValidResultIsGarbage) {
  EXPECT_EQ(garbage(), Paths{});
  EXPECT_EQ(garbage(false), Paths{});
  EXPECT_EQ(problems(true), Paths{});
}

TEST_F(Upkeep, FoldersOfKeysThatNobodyKnowsAreGarbage) {
  write("cells/00112233445566ff/last.safetensors", "old");
  write("cache/00112233445566ff/test/manifest.json", "old");
  write("cells/notes/mine.txt", "a person's");
  EXPECT_EQ(garbage(), (Paths{"cache/00112233445566ff", "cells/00112233445566ff"}));
  EXPECT_EQ(collect_garbage(file_, true).bytes, 6u);
  EXPECT_TRUE(fs::exists(folder_ / "cells/00112233445566ff")) << "a dry run";
  EXPECT_EQ(garbage(false).size(), 2u);
  EXPECT_FALSE(fs::exists(folder_ / "cells/00112233445566ff"));
  EXPECT_TRUE(fs::exists(folder_ / "cells/notes/mine.txt"));
  EXPECT_EQ(garbage(), Paths{});
  EXPECT_EQ(problems(true), Paths{});
}

TEST_F(Upkeep, FeaturesOfASetThatNoCellNeedsAreGarbage) {
  write("cache/" + short_key(train_) + "/near/cousins/manifest.json", "{}");
  write("cache/" + short_key(train_) + "/near/cousins/features.npy", "12345");
  EXPECT_EQ(garbage(false), (Paths{"cache/" + short_key(train_) + "/near/cousins"}));
  EXPECT_FALSE(fs::exists(folder_ / "cache" / short_key(train_) / "near")) << "empty now";
  EXPECT_TRUE(fs::exists(folder_ / "cache" / short_key(train_) / "head/weight.npy"));
}

TEST_F(Upkeep, CheckpointOfACellThatRanAgainElsewhereIsGarbage) {
  const fs::path other = folder_ / "elsewhere";
  ASSERT_TRUE(planning_.plan_again(train_.key, "asked for"));
  finish_train(other);
  EXPECT_EQ(garbage(false), (Paths{"cells/" + short_key(train_)}));
  EXPECT_TRUE(fs::exists(other / "cells" / short_key(train_) / "best.safetensors"));
  EXPECT_EQ(problems(), Paths{});
}

TEST_F(Upkeep, WhatAnUnfinishedCellGoesOnFromIsNot) {
  const CellRecord half = testing::train_cell("supcon", 0);
  put({train_, passes_, eval_, half});
  write("cells/" + short_key(half) + "/last.safetensors", "half trained");
  write("cache/" + short_key(half) + "/test/manifest.json", "{}");
  EXPECT_EQ(garbage(), Paths{});
  queue_.fail(claim_in(half, folder_), CellState::failed, "no");
  EXPECT_EQ(garbage(), Paths{}) << "the next run tries again";
  put({train_, passes_, eval_});  // nobody asks for it any more
  EXPECT_EQ(garbage(), (Paths{"cache/" + short_key(half), "cells/" + short_key(half)}));
}

TEST_F(Upkeep, WhatALivingProcessWorksOnIsNot) {
  const CellRecord busy = testing::train_cell("supcon", 0);
  put({train_, passes_, eval_, busy});
  (void)claim_in(busy, folder_);  // by this process
  put({train_, passes_, eval_});
  write("cells/" + short_key(busy) + "/last.safetensors", "being trained");
  EXPECT_EQ(garbage(), Paths{});
}

TEST_F(Upkeep, TemporariesOfTheDeadAreGarbageAndOpenOrFreshOnesAreNot) {
  const std::string in_cell = "cells/" + short_key(train_) + "/.best.safetensors.0123456789abcdef.tmp";
  const std::string in_cache = "cache/" + short_key(train_) + "/.test.0123456789abcdef.tmp";
  const std::string in_root = ".leaderboard.csv.0123456789abcdef.tmp";
  write(in_cell, "1");
  write(in_cache + "/features.npy", "22");
  write(in_root, "333");
  write(".hidden.tmp", "a person's");
  EXPECT_EQ(garbage(), Paths{}) << "fresh";
  for (const std::string& path : {in_cell, in_cache + "/features.npy", in_cache, in_root, std::string(".hidden.tmp")})
    age(folder_ / path);
  {
    const std::ofstream held(folder_ / in_root, std::ios::app);
    EXPECT_EQ(garbage(), (Paths{in_cache, in_cell})) << "one is open";
  }
  age(folder_ / in_root);
  EXPECT_EQ(collect_garbage(file_, true).bytes, 6u);
  EXPECT_EQ(garbage(false).size(), 3u);
  EXPECT_EQ(garbage(), Paths{});
}

TEST_F(Upkeep, FolderOfAnotherDatabaseIsLeftAlone) {
  const fs::path other = folder_ / "other";
  { Session::open(other / "results.sqlite"); }
  planning_.put_location(other);
  write(other / "cells/00112233445566ff/best.safetensors", "its");
  const Garbage found = collect_garbage(file_, false);
  EXPECT_EQ(found.leftovers.size(), 0u);
  ASSERT_EQ(found.notes.size(), 1u);
  EXPECT_NE(found.notes[0].find("another database"), std::string::npos);
}

TEST_F(Upkeep, LinksAreNotFollowed) {
  const TempDir precious;
  write(precious.path() / "best.safetensors", "a person's");
  fs::create_directory_symlink(precious.path(), folder_ / "cells" / "00112233445566ff");
  write("cells/00112233445566ee/x", "old");
  fs::create_directory_symlink(precious.path(), folder_ / "cells/00112233445566ee/link");
  EXPECT_EQ(garbage(false), (Paths{"cells/00112233445566ee"}));
  EXPECT_TRUE(fs::exists(precious.path() / "best.safetensors"));
}

}  // namespace
}  // namespace nearfar
