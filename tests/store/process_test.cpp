#include "store/process.h"

#include "base/text.h"
#include "store/store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nearfar {
namespace {

TEST(Process, ThisProcessIsAlive) { EXPECT_FALSE(is_dead_local_owner(owner_of_this_process())); }

TEST(Process, SameNumberWithAnotherStartTimeIsDead) {
  const std::vector<std::string> parts = split(owner_of_this_process(), ':');
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_FALSE(is_dead_local_owner(parts[0] + ":" + parts[1]));
  EXPECT_TRUE(is_dead_local_owner(parts[0] + ":" + parts[1] + ":1"));
}

TEST(Process, EndedProcessIsDeadEvenBeforeItIsWaitedFor) {
  const std::string host = split(owner_of_this_process(), ':')[0];
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(0);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);  // ended, still a zombie
  const std::string owner = host + ":" + std::to_string(child);
  EXPECT_TRUE(is_dead_local_owner(owner));
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(is_dead_local_owner(owner));
}

TEST(Process, NobodyElseIsCalledDead) {
  EXPECT_FALSE(is_dead_local_owner("another-host:1"));
  const std::string host = split(owner_of_this_process(), ':')[0];
  for (const char* odd : {"", ":", ":-1", ":0", ":12x", ":1:2:3"}) EXPECT_FALSE(is_dead_local_owner(host + odd)) << odd;
}

}  // namespace
}  // namespace nearfar
