/// Where exports are put, and what they never touch.
#include "dashboards/folder.h"

#include "base/error.h"
#include "base/files.h"

#include <gtest/gtest.h>

#include <string>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

class ExportFolder : public ::testing::Test {
 protected:
  void make(const std::string& content) {
    replace_export(target_, "test", [&](const fs::path& folder) { write_export_file(folder / "a/b", content); });
  }
  /// The message of the Error(config); "" without one.
  std::string refusal() {
    try {
      make("new");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.what();
    }
    return "";
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  TempDir folder_;
  fs::path target_ = folder_.path() / "export";
};

TEST_F(ExportFolder, IsMadeAndReplacedAndLeavesNothingBeside) {
  make("one");
  EXPECT_EQ(read_file(target_ / "a/b"), "one");
  make("two");
  EXPECT_EQ(read_file(target_ / "a/b"), "two");
  EXPECT_TRUE(fs::exists(target_ / kExportMark));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(ExportFolder, MayBeThereEmpty) {
  fs::create_directory(target_);
  make("one");
  EXPECT_EQ(read_file(target_ / "a/b"), "one");
}

TEST_F(ExportFolder, MayEndInASlash) {
  target_ += "/";
  make("one");
  make("two");
  EXPECT_EQ(read_file(target_ / "a/b"), "two");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(ExportFolder, IsRefusedWhereSomethingElseLies) {
  write_file_atomic(target_ / "precious", "x");
  EXPECT_NE(refusal().find("no export of nearfar"), std::string::npos);
  EXPECT_EQ(read_file(target_ / "precious"), "x");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(ExportFolder, IsRefusedWhereSomebodyAddedAFileToAnExport) {
  make("one");
  write_file_atomic(target_ / "a/notes.txt", "x");
  EXPECT_NE(refusal().find("a/notes.txt"), std::string::npos);
  EXPECT_EQ(read_file(target_ / "a/b"), "one");
}

TEST_F(ExportFolder, IsReplacedWhereAProgramLeftLocksAndSharedMemory) {
  make("one");
  write_file_atomic(target_ / "smoke.lock", "");
  write_file_atomic(target_ / "a/b-wal", "");
  write_file_atomic(target_ / "a/b-shm", "x");
  make("two");
  EXPECT_EQ(read_file(target_ / "a/b"), "two");
  EXPECT_FALSE(fs::exists(target_ / "a/b-shm"));
  write_file_atomic(target_ / "a/b-wal", "somebody wrote into it");
  EXPECT_NE(refusal().find("b-wal"), std::string::npos);
}

TEST_F(ExportFolder, IsRefusedWhereAFileOrALinkIs) {
  write_file_atomic(target_, "x");
  EXPECT_NE(refusal().find("is no folder"), std::string::npos);
  fs::remove(target_);
  fs::create_directory(folder_.path() / "elsewhere");
  fs::create_directory_symlink(folder_.path() / "elsewhere", target_);
  EXPECT_NE(refusal().find("is no folder"), std::string::npos);
}

TEST_F(ExportFolder, IsRefusedWhereTheMarkIsNotOurs) {
  write_file_atomic(target_ / kExportMark, "{");
  EXPECT_NE(refusal().find("no export of nearfar"), std::string::npos);
}

TEST_F(ExportFolder, StaysAsItWasWhenWritingFails) {
  make("one");
  EXPECT_THROW(replace_export(target_, "test",
                              [](const fs::path& folder) {
                                write_export_file(folder / "a/b", "two");
                                throw Error(ErrorKind::data, "no");
                              }),
               Error);
  EXPECT_EQ(read_file(target_ / "a/b"), "one");
  EXPECT_EQ(entries(), 1u);
}

}  // namespace
}  // namespace nearfar
