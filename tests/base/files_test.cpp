#include "base/files.h"

#include "base/error.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <set>

namespace nearfar {
namespace {

TEST(WriteFileAtomic, ReplacesTheFileAndLeavesNothingElse) {
  const TempDir folder;
  const auto file = folder.path() / "sub" / "f.txt";
  write_file_atomic(file, "one");
  write_file_atomic(file, "two");
  EXPECT_EQ(read_file(file), "two");
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(file.parent_path())) ++entries;
  EXPECT_EQ(entries, 1U);
}

TEST(WriteFileAtomic, SaysWhichFolderCannotBeMade) {
  const TempDir folder;
  write_file_atomic(folder.path() / "file", "");
  try {
    write_file_atomic(folder.path() / "file" / "below", "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find((folder.path() / "file").string()), std::string::npos);
  }
}

TEST(TemporaryName, IsHiddenBesideItsFileAndNeverTheSame) {
  std::set<std::filesystem::path> names;
  for (int i = 0; i < 100; ++i) names.insert(temporary_name("folder/a.b"));
  EXPECT_EQ(names.size(), 100U);
  const std::filesystem::path name = *names.begin();
  EXPECT_EQ(name.parent_path(), "folder");
  const std::string text = name.filename().string();
  EXPECT_TRUE(text.starts_with(".a.b.") && text.ends_with(".tmp")) << text;
  EXPECT_EQ(text.size(), std::string(".a.b.0123456789abcdef.tmp").size());
  EXPECT_EQ(temporary_name("bare").parent_path(), "");
}

TEST(RemoveStaleTemporaries, TakesWhatNobodyHasWrittenToForADay) {
  const TempDir folder;
  const auto put = [&](const std::string& name, int hours_old) {
    const std::filesystem::path file = folder.path() / name;
    write_file_atomic(file, "x");
    std::filesystem::last_write_time(file,
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(hours_old));
  };
  put(".set.01.tmp", 25);
  put(".set.02.tmp", 23);
  put(".set.03.tmp/features.npy", 25);  // the folder itself is new: somebody works there
  put(".set.04.tmp/features.npy", 25);
  std::filesystem::last_write_time(folder.path() / ".set.04.tmp",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(25));
  put(".set.05.tmp/features.npy", 23);
  std::filesystem::last_write_time(folder.path() / ".set.05.tmp",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(25));
  put(".set.b.06.tmp", 25);  // another name's
  put(".other.07.tmp", 25);
  put("set", 25);
  remove_stale_temporaries(folder.path() / "set");
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) left.insert(entry.path().filename());
  EXPECT_EQ(left, (std::set<std::string>{".set.02.tmp", ".set.03.tmp", ".set.05.tmp", ".set.b.06.tmp", ".other.07.tmp",
                                         "set"}));
  remove_stale_temporaries(folder.path() / "no" / "such" / "folder");
}

TEST(SyncFile, TakesAFileThatCannotBeFlushedForFlushed) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  EXPECT_TRUE(sync_file(ends[1]));  // EINVAL, as on file systems without fsync
  for (const int end : ends) ::close(end);
  EXPECT_FALSE(sync_file(ends[1]));  // EBADF
}

TEST(ReadFile, RefusesAFolderAndAMissingFile) {
  const TempDir folder;
  EXPECT_THROW(read_file(folder.path()), Error);
  EXPECT_THROW(read_file(folder.path() / "missing"), Error);
}

TEST(MappedFile, ShowsTheBytesAndMoves) {
  const TempDir folder;
  write_file_atomic(folder.path() / "f", "abc");
  MappedFile first(folder.path() / "f");
  const MappedFile second = std::move(first);
  ASSERT_EQ(second.bytes().size(), 3U);
  EXPECT_EQ(second.bytes()[1], std::byte{'b'});
  write_file_atomic(folder.path() / "empty", "");
  EXPECT_TRUE(MappedFile(folder.path() / "empty").bytes().empty());
}

TEST(TempDir, RemovesItselfWithItsContents) {
  std::filesystem::path path;
  {
    const TempDir folder;
    path = folder.path();
    write_file_atomic(path / "a" / "b", "x");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace nearfar
