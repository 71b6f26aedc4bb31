#include "base/files.h"

#include "base/error.h"

#include <gtest/gtest.h>

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
