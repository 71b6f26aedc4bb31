#include "work/oom.h"

#include "base/files.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(OomKills, AreThoseOfOurOwnCgroupInBothVersions) {
  const TempDir folder;
  const auto root = folder.path();
  write_file_atomic(root / "memory/a/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  write_file_atomic(root / "a/c/memory.events", "low 0\nhigh 0\nmax 9\noom 8\noom_kill 7\noom_group_kill 1\n");
  write_file_atomic(root / "vmstat", "pgfault 5\noom_kill 2\n");
  EXPECT_EQ(oom_kill_count("5:devices:/\n4:memory:/a/b\n0::/\n", root, root / "vmstat"), 3);
  EXPECT_EQ(oom_kill_count("0::/a/c\n", root, root / "vmstat"), 7);
  EXPECT_EQ(oom_kill_count("0::/not/there\n", root, root / "vmstat"), 2) << "the machine's";
  EXPECT_EQ(oom_kill_count("", root, root / "gone"), 0);
}

}  // namespace
}  // namespace nearfar
