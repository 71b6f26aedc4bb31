#include "bundle/archive.h"

#include "base/error.h"
#include "base/files.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// What somebody may put into an archive.
struct Hostile {
  std::string name = {}, content = {}, link = {};
  unsigned type = AE_IFREG;
  bool hard = false;
};

void write_archive(const fs::path& file, const std::vector<Hostile>& entries) {
  archive* out = archive_write_new();
  archive_write_set_format_pax(out);
  archive_write_add_filter_zstd(out);
  ASSERT_EQ(archive_write_open_filename(out, file.c_str()), ARCHIVE_OK);
  for (const Hostile& one : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, one.name.c_str());
    archive_entry_set_filetype(entry, one.type);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<std::int64_t>(one.content.size()));
    if (!one.link.empty())
      one.hard ? archive_entry_set_hardlink(entry, one.link.c_str())
               : archive_entry_set_symlink(entry, one.link.c_str());
    ASSERT_EQ(archive_write_header(out, entry), ARCHIVE_OK) << one.name;
    archive_write_data(out, one.content.data(), one.content.size());
    archive_entry_free(entry);
  }
  archive_write_free(out);
}

class ArchiveTest : public ::testing::Test {
 protected:
  ArchiveTest() { fs::create_directory(into_); }
  fs::path put(const std::string& name, const std::string& content) const {
    write_file_atomic(folder_.path() / "from" / name, content);
    return folder_.path() / "from" / name;
  }
  std::string refusal(const UnpackLimits& limits = {}) const {
    try {
      unpack_archive(file_, into_, limits);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
    return "";
  }
  std::string refusal_of(const std::vector<Hostile>& entries, const UnpackLimits& limits = {}) const {
    write_archive(file_, entries);
    return refusal(limits);
  }
  TempDir folder_;
  fs::path file_ = folder_.path() / "x.tar.zst", into_ = folder_.path() / "into";
};

TEST_F(ArchiveTest, GivesBackWhatWasPacked) {
  pack_archive(file_, {{"b/two.npy", put("two", std::string(100'000, '\0') + "end")}, {"a.json", put("one", "")}});
  EXPECT_EQ(unpack_archive(file_, into_), (std::vector<std::string>{"a.json", "b/two.npy"}));
  EXPECT_EQ(read_file(into_ / "a.json"), "");
  EXPECT_EQ(read_file(into_ / "b/two.npy"), std::string(100'000, '\0') + "end");
}

TEST_F(ArchiveTest, GivesTheSameBytesWhateverTheOrderAndTheTimes) {
  const fs::path one = put("one", "1"), two = put("two", "2"), again = folder_.path() / "again.tar.zst";
  pack_archive(file_, {{"a", one}, {"b", two}});
  fs::last_write_time(one, fs::file_time_type::clock::now() - std::chrono::hours(1000));
  fs::permissions(two, fs::perms::owner_all);
  pack_archive(again, {{"b", two}, {"a", one}});
  EXPECT_EQ(read_file(file_), read_file(again));
}

TEST_F(ArchiveTest, LeavesTheOldOneWhereItCannotWriteTheNew) {
  pack_archive(file_, {{"a", put("one", "1")}});
  const std::string before = read_file(file_);
  EXPECT_THROW(pack_archive(file_, {{"a", folder_.path() / "nothing"}}), Error);
  EXPECT_THROW(pack_archive(file_, {{"../a", put("one", "1")}}), Error);
  EXPECT_EQ(read_file(file_), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 3);  // from, into, x.tar.zst: no temporary
}

TEST_F(ArchiveTest, RefusesNamesThatLeadElsewhere) {
  for (const char* name :
       {"../x", "/tmp/x", "a/../../x", "..", ".", "a/./b", "a//b", "./a", "a\\b", "a b", "a\nb", "\x1b[2J"}) {
    EXPECT_NE(refusal_of({{.name = name, .content = "1"}}).find("leads elsewhere"), std::string::npos) << name;
  }
  EXPECT_NE(refusal_of({{.name = std::string(401, 'a'), .content = "1"}}), "");
  EXPECT_FALSE(fs::exists(folder_.path() / "x"));
  EXPECT_TRUE(fs::is_empty(into_));
}

TEST_F(ArchiveTest, RefusesLinksAndDevices) {
  EXPECT_NE(refusal_of({{.name = "a", .link = "/etc/passwd", .type = AE_IFLNK}}).find("is a link"), std::string::npos);
  EXPECT_NE(refusal_of({{.name = "scores", .link = "..", .type = AE_IFLNK}, {.name = "scores/x", .content = "1"}}), "");
  EXPECT_NE(refusal_of({{.name = "b", .link = "/etc/passwd", .hard = true}}).find("is a link"), std::string::npos);
  for (const unsigned type : {AE_IFCHR, AE_IFBLK, AE_IFIFO})
    EXPECT_NE(refusal_of({{.name = "a", .type = type}}).find("neither a file nor a folder"), std::string::npos) << type;
  EXPECT_TRUE(fs::is_empty(into_));
}

TEST_F(ArchiveTest, RefusesNamesThatComeTwice) {
  EXPECT_NE(refusal_of({{.name = "a", .content = "1"}, {.name = "a", .content = "2"}}).find("is there twice"),
            std::string::npos);
  EXPECT_EQ(read_file(into_ / "a"), "1");
}

TEST_F(ArchiveTest, RefusesAFileWhereAFolderIs) {
  EXPECT_NE(refusal_of({{.name = "a/b", .content = "1"}, {.name = "a", .content = "2"}}), "");
  EXPECT_NE(refusal_of({{.name = "c", .content = "1"}, {.name = "c/d", .content = "2"}}), "");
}

TEST_F(ArchiveTest, RefusesMoreEntriesThanTheLimit) {
  std::vector<Hostile> many;
  for (int i = 0; i < 4; ++i) many.push_back({.name = "f" + std::to_string(i), .content = "1"});
  EXPECT_NE(refusal_of(many, {.entries = 3}).find("more than 3 entries"), std::string::npos);
}

TEST_F(ArchiveTest, RefusesWhatIsMadeToFillADisk) {
  // 100 MiB of zeros are about 10 kB of zstd: 64 MiB are free, then 200 bytes for each.
  EXPECT_NE(refusal_of({{.name = "a", .content = std::string(100 << 20, '\0')}}).find("would unpack to more than"),
            std::string::npos);
  EXPECT_NE(refusal_of({{.name = "a", .content = "12345"}, {.name = "b", .content = "12345"}}, {.bytes = 9})
                .find("would unpack to more than"),
            std::string::npos);
}

TEST_F(ArchiveTest, RefusesWhatIsNoArchive) {
  for (const std::string& content : {std::string(), std::string("hello"), std::string(100'000, 'x')}) {
    write_file_atomic(file_, content);
    EXPECT_TRUE(content.empty() || !refusal().empty());
    EXPECT_TRUE(fs::is_empty(into_));
  }
  file_ = folder_.path() / "nothing";
  EXPECT_NE(refusal().find("cannot be read"), std::string::npos);
}

TEST_F(ArchiveTest, NeverCrashesOnADamagedArchive) {
  write_archive(file_, {{.name = "a", .content = std::string(5000, 'a')}, {.name = "b/c", .content = "short"}});
  const std::string whole = read_file(file_);
  std::mt19937 random(20'261'128);
  for (int round = 0; round < 300; ++round) {
    std::string damaged = whole;
    if (round % 3 == 0) damaged.resize(random() % whole.size());
    for (std::size_t i = 0; i < 1 + random() % 4 && !damaged.empty(); ++i)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    write_file_atomic(file_, damaged);
    fs::remove_all(into_);
    fs::create_directory(into_);
    refusal();  // or what it gives: SHA256SUMS decides then
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) EXPECT_FALSE(entry.is_symlink());
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 2);  // nothing beside x.tar.zst and into
}

}  // namespace
}  // namespace nearfar
