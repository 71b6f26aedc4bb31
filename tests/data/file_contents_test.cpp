/// Hashes of files that are remembered: what is known again, what is not, and that no index is needed.
#include "data/file_contents.h"

#include "data_files.h"

#include <chrono>
#include <cstdlib>
#include <thread>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

Hash128 hash_of(std::string_view text) { return xxh3_128(std::as_bytes(std::span(text))); }

class FileContentsTest : public testing::DataFiles {
 protected:
  void SetUp() override {
    if (const char* before = std::getenv("NEARFAR_CACHE")) before_ = before;
    setenv("NEARFAR_CACHE", (folder_.path() / "cache").c_str(), 1);
    fs::create_directories(top());
  }
  void TearDown() override {
    before_.empty() ? unsetenv("NEARFAR_CACHE") : setenv("NEARFAR_CACHE", before_.c_str(), 1);
  }
  fs::path top() const { return folder_.path() / "top"; }
  fs::path index_file() const { return fs::directory_iterator(folder_.path() / "cache" / "contents")->path(); }

  /// What is read of "0.bin" … "N-1.bin", and how many had to be.
  std::vector<Hash128> look(std::int64_t count, std::int64_t stop_after = -1) {
    const BeneathFolder folder(top());
    std::vector<FileStat> files;
    for (const std::string& name : names(count)) files.push_back(folder.stat(name));
    read_ = 0;
    const std::vector<std::string> all = names(count);
    return contents_of(
        folder, {.name = [&](std::int64_t i) -> std::string_view { return all[static_cast<std::size_t>(i)]; },
                 .files = files,
                 .threads = 2,
                 .progress =
                     [&](std::int64_t done, std::int64_t total) {
                       read_ = total;
                       return stop_after < 0 || done < stop_after;
                     },
                 .failed = [&](std::int64_t i,
                               const std::string& why) { failures_.push_back(std::to_string(i) + ": " + why); }});
  }
  static std::vector<std::string> names(std::int64_t count) {
    std::vector<std::string> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(std::to_string(i) + ".bin");
    return result;
  }
  std::string before_;
  std::int64_t read_ = 0;
  std::vector<std::string> failures_;
};

constexpr FileStat kOld{.size = 5, .modified = 1000, .changed = 2000, .inode = 7};

TEST_F(FileContentsTest, KnowsAFileAgainThatLooksAsItDid) {
  {
    ContentsIndex index(top());
    index.remember("a", kOld, {1, 2});
    EXPECT_EQ(index.find("a", kOld), (Hash128{1, 2}));  // before it is saved
    index.save();
  }
  const ContentsIndex index(top());
  EXPECT_EQ(index.find("a", kOld), (Hash128{1, 2}));
  EXPECT_EQ(index.find("b", kOld), std::nullopt);
}

TEST_F(FileContentsTest, DoesNotKnowOneWhoseSizeTimesOrInodeDiffer) {
  ContentsIndex index(top());
  index.remember("a", kOld, {1, 2});
  for (const FileStat& other :
       {FileStat{6, 1000, 2000, 7}, FileStat{5, 1001, 2000, 7}, FileStat{5, 1000, 2001, 7}, FileStat{5, 1000, 2000, 8}})
    EXPECT_EQ(index.find("a", other), std::nullopt);
}

TEST_F(FileContentsTest, DoesNotTrustAFileThatChangedJustNow) {
  ContentsIndex index(top());
  FileStat fresh = kOld;
  fresh.changed = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  index.remember("a", fresh, {1, 2});
  EXPECT_EQ(index.find("a", fresh), std::nullopt);
}

TEST_F(FileContentsTest, FindsEveryoneAmongMany) {
  {
    ContentsIndex index(top());
    for (std::uint64_t i = 0; i < 5000; ++i) index.remember(std::to_string(i), kOld, {i, i});
    index.save();
  }
  const ContentsIndex index(top());
  for (std::uint64_t i = 0; i < 5000; ++i) ASSERT_EQ(index.find(std::to_string(i), kOld), (Hash128{i, i})) << i;
  EXPECT_EQ(index.find("5000", kOld), std::nullopt);
}

TEST_F(FileContentsTest, KeepsWhatAnotherProcessWroteAndTheNewerOfTwo) {
  ContentsIndex one(top()), two(top());
  one.remember("a", kOld, {1, 1});
  one.remember("b", kOld, {2, 2});
  one.save();
  two.remember("b", kOld, {3, 3});
  two.remember("c", kOld, {4, 4});
  two.save();
  const ContentsIndex all(top());
  EXPECT_EQ(all.find("a", kOld), (Hash128{1, 1}));
  EXPECT_EQ(all.find("b", kOld), (Hash128{3, 3}));
  EXPECT_EQ(all.find("c", kOld), (Hash128{4, 4}));
}

TEST_F(FileContentsTest, ADamagedIndexIsNone) {
  {
    ContentsIndex index(top());
    index.remember("a", kOld, {1, 2});
    index.save();
  }
  const std::string whole = read_file(index_file());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write_file_atomic(index_file(), damaged);
    EXPECT_EQ(ContentsIndex(top()).find("a", kOld), std::nullopt) << at;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{20}, whole.size() - 1}) {
    write_file_atomic(index_file(), whole.substr(0, size));
    EXPECT_EQ(ContentsIndex(top()).find("a", kOld), std::nullopt) << size;
  }
}

TEST_F(FileContentsTest, ReadsOnceAndThenOnlyWhatChanged) {
  for (const std::string& name : names(200)) write("top/" + name, name);
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));  // old enough to be trusted
  const std::vector<Hash128> first = look(200);
  EXPECT_EQ(first[17], hash_of("17.bin"));
  EXPECT_EQ(look(200), first);
  EXPECT_EQ(read_, 0);
  write("top/17.bin", "71.bin");  // as long as before
  const std::vector<Hash128> second = look(200);
  EXPECT_EQ(second[17], hash_of("71.bin"));
  EXPECT_EQ(second[18], first[18]);
}

TEST_F(FileContentsTest, AReplacedFileOfTheSameSizeAndTimeIsNoticed) {
  const fs::path file = write("top/0.bin", "before");
  const fs::file_time_type time = fs::last_write_time(file);
  EXPECT_EQ(look(1)[0], hash_of("before"));
  write("top/0.bin", "after!");
  fs::last_write_time(file, time);  // as `cp -p` and archives do
  EXPECT_EQ(look(1)[0], hash_of("after!"));
}

TEST_F(FileContentsTest, WhatIsMissingHasNoHashAndWhatCannotBeReadIsTold) {
  write("top/0.bin", "x");
  write("top/1.bin", "");
  fs::resize_file(top() / "1.bin", (std::uintmax_t{1} << 30) + 1);  // larger than any image file may be; a sparse file
  const std::vector<Hash128> found = look(3);
  EXPECT_EQ(found, (std::vector<Hash128>{hash_of("x"), Hash128{}, Hash128{}}));
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_EQ(failures_[0].find("1: "), 0U) << failures_[0];
}

TEST_F(FileContentsTest, WithoutAFolderToWriteEverythingIsRightAndReadAgain) {
  write("cache", "a file where a folder is needed");
  write("top/0.bin", "x");
  EXPECT_EQ(look(1)[0], hash_of("x"));
  EXPECT_EQ(look(1)[0], hash_of("x"));
}

}  // namespace
}  // namespace nearfar
