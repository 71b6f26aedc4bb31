#include "base/memory.h"

#include "base/files.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

class MemoryLimit : public ::testing::Test {
 protected:
  void SetUp() override { write("proc/meminfo", "MemFree:  5 kB\nMemTotal:       1000 kB\nMemAvailable: 7 kB\n"); }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_.path() / name).parent_path());
    write_file_atomic(root_.path() / name, text);
  }
  std::int64_t limit() const { return memory_limit(root_.path()); }

  TempDir root_;
};

TEST_F(MemoryLimit, IsTheMachinesWithoutGroups) {
  EXPECT_EQ(limit(), 1000 * 1024);
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(limit(), 1000 * 1024);
}

TEST_F(MemoryLimit, IsTheSmallestOfTheGroupsAbove) {
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "500000\n");
  EXPECT_EQ(limit(), 500000);
  write("sys/fs/cgroup/a/memory.max", "400000\n");
  EXPECT_EQ(limit(), 400000);
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  EXPECT_EQ(limit(), 400000);
}

TEST_F(MemoryLimit, KnowsTheFirstVersion) {
  write("proc/self/cgroup", "12:cpu,cpuacct:/x\n9:memory:/c\n1:name=systemd:/c\n");
  write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "300000\n");
  EXPECT_EQ(limit(), 300000);
  write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limit(), 1000 * 1024);
}

TEST(Memory, HasThisMachineSome) { EXPECT_GT(memory_limit(), std::int64_t{1} << 26); }

}  // namespace
}  // namespace nearfar
