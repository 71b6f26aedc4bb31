#include "data/open_beneath.h"

#include "data_files.h"

#include <sys/stat.h>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// Every case with openat2 and with the walk that older kernels get.
class OpenBeneathTest : public testing::DataFiles, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    use_openat2(GetParam());
    write("top/a.bin", "hello");
    write("top/in/b.bin", "inside");
    write("secret.bin", "secret");
    write("topper/c.bin", "beside");
  }
  void TearDown() override { use_openat2(true); }
  fs::path top() const { return folder_.path() / "top"; }
  std::string read(const std::string& name, bool follow_links = false) const {
    std::vector<std::uint8_t> bytes;
    BeneathFolder(top(), follow_links).read(name, bytes);
    return {bytes.begin(), bytes.end()};
  }
  std::string refused(const std::string& name, bool follow_links = false) const {
    const std::string size = refusal(ErrorKind::data, [&] {
      if (BeneathFolder(top(), follow_links).stat(name).size < 0) throw Error(ErrorKind::data, "not there");
    });
    EXPECT_NE(size, "");
    return refusal(ErrorKind::data, [&] { read(name, follow_links); });
  }
  void link(const fs::path& target, const std::string& name) const { fs::create_symlink(target, top() / name); }
};

INSTANTIATE_TEST_SUITE_P(Ways, OpenBeneathTest, ::testing::Bool(),
                         [](const auto& way) { return std::string(way.param ? "openat2" : "walk"); });

TEST_P(OpenBeneathTest, ReadsFilesAndKnowsTheirSizes) {
  EXPECT_EQ(read("a.bin"), "hello");
  EXPECT_EQ(read("in/b.bin"), "inside");
  EXPECT_EQ(read("./in//b.bin"), "inside");
  EXPECT_EQ(BeneathFolder(top()).stat("in/b.bin").size, 6);
  EXPECT_EQ(BeneathFolder(top()).stat("in/gone.bin").size, -1);
  EXPECT_EQ(BeneathFolder(top()).stat("gone/b.bin").size, -1);
  EXPECT_EQ(BeneathFolder(top()).stat("in").size, -1);
}

TEST_P(OpenBeneathTest, TheBufferIsUsedAgain) {
  const BeneathFolder folder(top());
  std::vector<std::uint8_t> bytes(100, 7);
  folder.read("a.bin", bytes);
  EXPECT_EQ(bytes.size(), 5U);
  EXPECT_GE(bytes.capacity(), 100U);
}

TEST_P(OpenBeneathTest, RefusesNamesThatLeave) {
  EXPECT_EQ(refused("../secret.bin"), "'../secret.bin' (in " +
                                          top().string().substr(folder_.path().string().size() + 1) +
                                          ") climbs with '..', a path beneath the data folder expected");
  refused("in/../../secret.bin");
  refused(folder_.path() / "secret.bin");
  refused("");
  refused(std::string("a.bin\0.png", 10));
  refused(std::string(5000, 'a'));
}

TEST_P(OpenBeneathTest, SaysWhatIsNotThere) {
  EXPECT_EQ(refused("gone.bin"), "top/gone.bin: there is no such file");
  EXPECT_EQ(refused("a.bin/x"), "top/a.bin/x: there is no such file");
  EXPECT_EQ(refused("in"), "top/in: is not a regular file");
  refused("in/");
  refused("a.bin/");
  refused(".");
  refused(std::string(300, 'a'));
  EXPECT_EQ(refusal(ErrorKind::data, [&] { BeneathFolder(folder_.path() / "nowhere"); }),
            "nowhere: there is no such folder");
  EXPECT_EQ(refusal(ErrorKind::data, [&] { BeneathFolder(folder_.path() / "secret.bin"); }),
            "secret.bin: is not a folder");
}

TEST_P(OpenBeneathTest, LinksThatStayAreFollowed) {
  link("in/b.bin", "link.bin");
  link("in", "link");
  link("../top/in/b.bin", "round.bin");
  link(top() / "in" / "b.bin", "absolute.bin");
  EXPECT_EQ(read("link.bin"), "inside");
  EXPECT_EQ(read("link/b.bin"), "inside");
  EXPECT_EQ(read("round.bin"), "inside");
  EXPECT_EQ(read("absolute.bin"), "inside");
  EXPECT_EQ(BeneathFolder(top()).stat("link/b.bin").size, 6);
}

TEST_P(OpenBeneathTest, LinksThatLeaveAreRefusedUnlessAllowed) {
  link("../secret.bin", "out.bin");
  link("..", "up");
  link(folder_.path() / "secret.bin", "absolute.bin");
  link("../topper/c.bin", "beside.bin");  // "top" is a prefix of "topper"
  link("/proc/self/cwd", "magic");
  EXPECT_EQ(refused("out.bin"), "top/out.bin: is a symbolic link, or behind one, that leaves " +
                                    top().string().substr(folder_.path().string().size() + 1) +
                                    "; set data.follow_links=true if that is meant");
  refused("up/secret.bin");
  refused("absolute.bin");
  refused("beside.bin");
  refused("magic/x");
  EXPECT_EQ(read("out.bin", true), "secret");
  EXPECT_EQ(read("up/secret.bin", true), "secret");
  EXPECT_EQ(read("absolute.bin", true), "secret");
  refused("../secret.bin", true);
}

TEST_P(OpenBeneathTest, LinksInACircleAndIntoNothingAreRefused) {
  link("loop.bin", "loop.bin");
  link("gone", "nothing.bin");
  EXPECT_EQ(BeneathFolder(top()).stat("loop.bin").size, -1);
  EXPECT_EQ(BeneathFolder(top()).stat("nothing.bin").size, -1);
  refused("loop.bin");
  refused("nothing.bin");
}

TEST_P(OpenBeneathTest, AFifoIsRefusedAtOnce) {
  ASSERT_EQ(mkfifo((top() / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(refused("fifo"), "top/fifo: is not a regular file");
  EXPECT_EQ(refused("fifo", true), "top/fifo: is not a regular file");
  refusal(ErrorKind::data, [&] { read_regular_file(top() / "fifo", 100); });
}

TEST_P(OpenBeneathTest, FilesAboveAGibibyteAreRefusedWithoutTakingMemory) {
  write("top/big.bin", "");
  fs::resize_file(top() / "big.bin", (std::uintmax_t{1} << 30) + 1);  // sparse
  std::vector<std::uint8_t> bytes;
  EXPECT_EQ(refusal(ErrorKind::data, [&] { BeneathFolder(top()).read("big.bin", bytes); }),
            "top/big.bin: has 1073741825 bytes; the most that is read is 1073741824");
  EXPECT_EQ(bytes.capacity(), 0U);
  EXPECT_EQ(BeneathFolder(top()).stat("big.bin").size, (std::int64_t{1} << 30) + 1);
}

TEST_P(OpenBeneathTest, SizesOfManyAreTheSizesOfEach) {
  link("in/b.bin", "link.bin");
  link("../b.bin", "in/link.bin");
  link("in", "linked");
  link("../..", "in/up");
  link("../../secret.bin", "in/out.bin");
  ASSERT_EQ(mkfifo((top() / "in" / "fifo").c_str(), 0600), 0);
  for (int i = 0; i < 600; ++i)
    write("top/many/" + std::to_string(i) + "/x.bin", std::string(static_cast<std::size_t>(i), 'x'));
  const BeneathFolder folder(top());
  FileStats stats(folder);
  EXPECT_EQ(stats.stat("in/b.bin").size, 6);
  EXPECT_EQ(stats.stat("linked/b.bin").size, 6);
  EXPECT_EQ(stats.stat("link.bin").size, 6);
  EXPECT_EQ(stats.stat("a.bin").size, 5);
  for (const char* name : {"in/link.bin", "in/fifo", "in/gone", "gone/b.bin", "in/", "a.bin/b"})
    EXPECT_EQ(stats.stat(name).size, -1) << name;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 600; ++i) ASSERT_EQ(stats.stat("many/" + std::to_string(i) + "/x.bin").size, i);
  }
  for (const char* name : {"in/out.bin", "in/up/secret.bin", "in/../../secret.bin", "/etc/passwd"}) {
    refusal(ErrorKind::data, [&] { stats.stat(name); });
  }
}

TEST_P(OpenBeneathTest, TheFolderItselfMayBeALinkAndMoves) {
  fs::create_symlink(top(), folder_.path() / "door");
  BeneathFolder one(folder_.path() / "door");
  BeneathFolder two = std::move(one);
  std::vector<std::uint8_t> bytes;
  two.read("in/b.bin", bytes);
  EXPECT_EQ(bytes.size(), 6U);
  one = std::move(two);
  one.read("a.bin", bytes);
  EXPECT_EQ(bytes.size(), 5U);
  refusal(ErrorKind::data, [&] { BeneathFolder().read("a.bin", bytes); });
}

}  // namespace
}  // namespace nearfar
