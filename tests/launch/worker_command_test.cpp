#include "launch/worker_command.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <map>

namespace nearfar {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

std::optional<std::int64_t> number_in(const Variables& variables) {
  return worker_number([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(WorkerWords, SayEverythingThatAnotherMachineMustKnow) {
  EXPECT_EQ(shell_line(worker_words({.program = "/opt/near far/bin/nearfar",
                                     .database = "/data/r.sqlite",
                                     .experiment = "it's mine",
                                     .profile = "/etc/p.toml",
                                     .device = "cuda",
                                     .jobs = 3,
                                     .extra = {"--trust"}})),
            "'/opt/near far/bin/nearfar' worker --db /data/r.sqlite --experiment 'it'\\''s mine' --profile /etc/p.toml "
            "--device cuda --rank-from-env --trust -j 3");
  EXPECT_EQ(shell_line(worker_words({.program = "nearfar", .database = "d", .experiment = "e"})),
            "nearfar worker --db d --experiment e --rank-from-env");
}

TEST(ShellWord, QuotesWhatAShellWouldRead) {
  EXPECT_EQ(shell_word("a-b_c/d.e:f=g,1%2"), "a-b_c/d.e:f=g,1%2");
  for (const char* odd : {"a b", "$HOME", "a;b", "*", "~", "", "\"", "a\nb", "ä"})
    EXPECT_EQ(shell_word(odd), "'" + std::string(odd) + "'");
}

TEST(WorkerNumber, IsWhatTheLauncherGives) {
  EXPECT_EQ(number_in({}), std::nullopt);
  EXPECT_EQ(number_in({{"HOME", "/root"}, {"RANK", ""}}), std::nullopt);
  EXPECT_EQ(number_in({{"RANK", "5"}}), 5);
  EXPECT_EQ(number_in({{"JOB_COMPLETION_INDEX", "0"}}), 0);
  EXPECT_EQ(number_in({{"SLURM_ARRAY_TASK_ID", "7"}}), 7);
}

TEST(WorkerNumber, OfTheInnermostLauncherCounts) {
  EXPECT_EQ(number_in({{"SLURM_PROCID", "0"}, {"OMPI_COMM_WORLD_RANK", "3"}}), 3) << "mpirun within a Slurm job";
  EXPECT_EQ(number_in({{"SLURM_PROCID", "0"}, {"SLURM_ARRAY_TASK_ID", "4"}}), 4) << "the batch shell of an array";
  EXPECT_EQ(number_in({{"SLURM_PROCID", "2"}, {"SLURM_ARRAY_TASK_ID", "4"}}), 2) << "srun within it";
  EXPECT_EQ(number_in({{"SLURM_PROCID", "0"}}), 0);
}

TEST(WorkerNumber, ThatIsNoneIsRefused) {
  for (const char* odd : {"-1", "x", "1x", "99999999999999999999"}) {
    try {
      number_in({{"RANK", odd}});
      ADD_FAILURE() << odd;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      EXPECT_NE(std::string(error.what()).find(std::string("RANK=") + odd), std::string::npos);
    }
  }
}

TEST(DurationSeconds, ReadsUnitsAndClocks) {
  EXPECT_EQ(duration_seconds("90s"), 90);
  EXPECT_EQ(duration_seconds("30m"), 1800);
  EXPECT_EQ(duration_seconds("1h30m"), 5400);
  EXPECT_EQ(duration_seconds("1d"), 86400);
  EXPECT_EQ(duration_seconds("2:00:00"), 7200);
  EXPECT_EQ(duration_seconds("5:30"), 330);
  for (const char* odd : {"", "0s", "h", "30", "1.5h", "30m1h", "1h1h", "-1h", "1:2:3:4", ":30", "1h ", "9999999999s"})
    EXPECT_THROW((void)duration_seconds(odd), Error) << odd;
}

}  // namespace
}  // namespace nearfar
