/// What the texts do is shown by tests/e2e/worker_test.py (a shell) and tests/cluster (Slurm, MPI); here is what they
/// say.
#include "launch/job_text.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

BatchJob job() {
  return {.worker = {.program = "/opt/nearfar", .database = "/d/r.sqlite", .experiment = "x", .jobs = 4},
          .workers = 8,
          .name = "nearfar-x",
          .logs = "/d/workers",
          .options = {"--partition=gpu", "--time=2:00:00"}};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(SlurmScript, AsksForAnArrayOfWorkersThatIsQueuedAgain) {
  const std::string text = slurm_script(job(), 90);
  EXPECT_EQ(text.substr(0, 12), "#!/bin/bash\n");
  for (const char* line :
       {"#SBATCH --array=0-7\n", "#SBATCH --cpus-per-task=4\n", "#SBATCH --requeue\n", "#SBATCH --signal=B:USR2@90\n",
        "#SBATCH --open-mode=append\n", "#SBATCH --output=/d/workers/worker-%a.log\n"})
    EXPECT_TRUE(has(text, line)) << line << text;
  EXPECT_TRUE(has(text, "-j \"${SLURM_CPUS_PER_TASK:-4}\"")) << "what Slurm gave, not what was asked for";
}

TEST(SlurmScript, OptionsOfAPersonComeLastAndBeforeTheFirstCommand) {
  // sbatch reads #SBATCH lines up to the first command; of two that contradict each other the later one counts.
  const std::string text = slurm_script(job());
  const std::size_t ours = text.find("#SBATCH --output"), theirs = text.find("#SBATCH --partition=gpu\n"),
                    second = text.find("#SBATCH --time=2:00:00\n"), command = text.find("\nasked=");
  EXPECT_LT(ours, theirs);
  EXPECT_LT(theirs, second);
  EXPECT_LT(second, command);
}

TEST(SlurmScript, QuotesAFolderWithBlanks) {
  BatchJob odd = job();
  odd.logs = "/my data";
  EXPECT_TRUE(has(slurm_script(odd), "#SBATCH --output=\"/my data/worker-%a.log\"\n"));
}

TEST(MpiScript, StartsOneWorkerARank) {
  EXPECT_TRUE(
      has(mpi_script(job()),
          "exec mpirun --partition=gpu --time=2:00:00 -np 8 /opt/nearfar worker --db /d/r.sqlite --experiment x "
          "--rank-from-env -j 4\n"));
}

TEST(KubernetesJob, HasOnePodAWorker) {
  const std::string text = kubernetes_job(job(), {.image = "registry/x:1", .claim = "data", .mount = "/d"});
  for (const char* part : {"completionMode: Indexed", "completions: 8\n", "parallelism: 8\n",
                           "backoffLimitPerIndex: 3\n", "image: \"registry/x:1\"\n", "- \"--rank-from-env\"\n",
                           "cpu: \"4\"\n", "claimName: \"data\"\n", "mountPath: \"/d\"\n"})
    EXPECT_TRUE(has(text, part)) << part << text;
  EXPECT_FALSE(has(text, "namespace"));
  EXPECT_FALSE(has(kubernetes_job(job(), {.image = "i"}), "volume"));
}

TEST(KubernetesName, IsAnRfc1123Label) {
  EXPECT_EQ(kubernetes_name("nearfar-Board_CIFAR 10!"), "nearfar-board-cifar-10");
  EXPECT_EQ(kubernetes_name("--é--"), "nearfar");
  EXPECT_EQ(kubernetes_name(std::string(62, 'a') + "-b").size(), 62u) << "no '-' at the end";
}

}  // namespace
}  // namespace nearfar
