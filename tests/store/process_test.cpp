#include "store/process.h"

#include "base/text.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nearfar {
namespace {

constexpr std::size_t kHost = 0, kMachine = 1, kBoot = 2, kNamespace = 3, kPid = 4, kStart = 5;

std::vector<std::string> own_parts() { return split(owner_of_this_process(), ':'); }
/// This process as an owner, with one field changed.
OwnerState state_with(std::size_t field, const std::string& value) {
  std::vector<std::string> parts = own_parts();
  parts.at(field) = value;
  return owner_state(join(parts, ":"));
}

TEST(Process, ThisProcessIsAlive) {
  ASSERT_EQ(own_parts().size(), 6u);
  if (own_parts()[kBoot].empty() || own_parts()[kNamespace].empty()) GTEST_SKIP() << "/proc does not tell enough here";
  EXPECT_EQ(owner_state(owner_of_this_process()), OwnerState::alive);
  EXPECT_EQ(state_with(kHost, "renamed"), OwnerState::alive) << "the boot id says that it is this machine";
}

TEST(Process, SameNumberWithAnotherStartTimeIsDead) {
  const std::vector<std::string> parts = own_parts();
  EXPECT_EQ(state_with(kStart, "1"), OwnerState::dead);
  EXPECT_EQ(owner_state(parts[kHost] + ":" + parts[kPid] + ":1"), OwnerState::dead);
}

TEST(Process, EndedProcessIsDeadEvenBeforeItIsWaitedFor) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(0);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);  // ended, still a zombie
  const std::string old_form = own_parts()[kHost] + ":" + std::to_string(child);
  EXPECT_EQ(owner_state(old_form), OwnerState::dead);
  EXPECT_EQ(state_with(kPid, std::to_string(child)), OwnerState::dead);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(owner_state(old_form), OwnerState::dead);
  EXPECT_EQ(state_with(kPid, std::to_string(child)), OwnerState::dead);
}

TEST(Process, OtherPidNamespaceOfTheSameHostCannotBeSeen) {
  std::vector<std::string> parts = own_parts();
  parts[kNamespace] = "1";
  parts[kPid] = "999999999";  // no such process here; there it may live
  EXPECT_EQ(owner_state(join(parts, ":")), OwnerState::unknown);
  parts[kNamespace] = "";
  EXPECT_EQ(owner_state(join(parts, ":")), OwnerState::unknown);
}

TEST(Process, BeforeThisMachineWasStartedLastIsDead) {
  if (own_parts()[kMachine].empty()) GTEST_SKIP() << "no /etc/machine-id here";
  std::vector<std::string> parts = own_parts();
  parts[kBoot] = "another";
  EXPECT_EQ(owner_state(join(parts, ":")), OwnerState::dead);
  parts[kMachine] = "another";
  EXPECT_EQ(owner_state(join(parts, ":")), OwnerState::unknown) << "same name, another machine";
  parts = own_parts();
  parts[kBoot] = "another";
  parts[kHost] = "another-host";
  EXPECT_EQ(owner_state(join(parts, ":")), OwnerState::unknown) << "a copied machine id";
  parts = own_parts();
  parts[kBoot] = "";
  EXPECT_EQ(owner_state(join(parts, ":")), OwnerState::unknown);
}

TEST(Process, OwnersOfOlderDatabasesAreLookedForByHost) {
  const std::vector<std::string> parts = own_parts();
  EXPECT_EQ(owner_state(parts[kHost] + ":" + parts[kPid]), OwnerState::alive);
  EXPECT_EQ(owner_state(parts[kHost] + ":" + parts[kPid] + ":" + parts[kStart]), OwnerState::alive);
  EXPECT_EQ(owner_state("another-host:1"), OwnerState::unknown);
  EXPECT_EQ(owner_state("another-host:1:1"), OwnerState::unknown);
}

TEST(Process, TextsThatAreNoOwnerAreUnknown) {
  const std::string host = own_parts()[kHost];
  for (const char* odd : {"", ":", ":-1", ":0", ":12x", ":1:2:3", ":::::", "::::::"})
    EXPECT_EQ(owner_state(host + odd), OwnerState::unknown) << odd;
}

}  // namespace
}  // namespace nearfar
