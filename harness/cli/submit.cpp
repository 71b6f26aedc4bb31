#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include "cli/planned.h"
#include "cli/verbs.h"
#include "launch/job_text.h"
#include "store/address.h"
#include "store/session.h"
#include "work/compare.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

fs::path whole(const fs::path& path) { return path.empty() ? path : fs::absolute(path).lexically_normal(); }

std::string database_for_workers(const SubmitArguments& arguments, const Plan& plan) {
  if (!arguments.worker_database.empty()) return arguments.worker_database;
  if (!is_server(plan.database)) return whole(plan.database).string();
  const std::string shown = shown_database(plan.database);
  if (shown != plan.database.string())
    log_warn(
        fmt::format("the workers are given the address {}: a password or other settings do not belong into a job's "
                    "text; use ~/.pgpass and the like there, or --worker-db",
                    shown));
  return shown;
}

BatchJob batch_job(const SubmitArguments& arguments, const Plan& plan) {
  const bool here = arguments.launcher == "local" || arguments.launcher == "mpi";
  const std::int64_t cores = std::max<std::int64_t>(1, std::thread::hardware_concurrency());
  const std::int64_t jobs = arguments.jobs > 0 ? arguments.jobs : here ? cores / arguments.workers : 1;
  BatchJob job;
  job.worker = {.program = arguments.program,
                .database = database_for_workers(arguments, plan),
                .experiment = plan.experiment.name,
                .profile = arguments.launcher == "k8s" ? arguments.profile : whole(arguments.profile),
                .jobs = std::max<std::int64_t>(1, jobs)};
  if (arguments.run.trust) job.worker.extra.emplace_back("--trust");
  if (job.worker.program.empty())
    job.worker.program = arguments.launcher == "k8s" ? fs::path("nearfar") : prefix() / "bin/nearfar";
  job.workers = arguments.workers;
  job.name = "nearfar-" + plan.experiment.name;
  job.logs = whole(plan.out) / "workers";
  job.options = arguments.options;
  return job;
}

std::string text_of(const SubmitArguments& arguments, const BatchJob& job) {
  if (arguments.launcher == "slurm") return slurm_script(job);
  if (arguments.launcher == "mpi") return mpi_script(job);
  if (arguments.launcher == "k8s") {
    return kubernetes_job(job, {.image = arguments.image,
                                .pod_namespace = arguments.pod_namespace,
                                .claim = arguments.claim,
                                .mount = arguments.mount});
  }
  std::string text = "#!/bin/sh\n";
  for (std::int64_t i = 0; i < job.workers; ++i)
    text += fmt::format("RANK={} {} > {} 2>&1 &\n", i, shell_line(worker_words(job.worker)),
                        shell_word((job.logs / fmt::format("worker-{}.log", i)).string()));
  return text + "wait\n";
}

void check(const SubmitArguments& arguments) {
  const bool pods = arguments.launcher == "k8s";
  if (pods && arguments.image.empty())
    throw Error(ErrorKind::config, "--launcher k8s needs --image NAME, a container image with nearfar in it");
  if (pods && !arguments.options.empty())
    throw Error(ErrorKind::config, "--option is for sbatch and mpirun; with --launcher k8s print the text and edit it");
  if (!pods && !(arguments.image + arguments.claim + arguments.pod_namespace).empty())
    throw Error(ErrorKind::config, "--image, --volume and --namespace are for --launcher k8s");
  if (arguments.claim.empty() != arguments.mount.empty() || (!arguments.mount.empty() && arguments.mount[0] != '/'))
    throw Error(ErrorKind::config,
                fmt::format("--volume is CLAIM:/FOLDER, found '{}:{}'", arguments.claim, arguments.mount));
  for (const std::string& option : arguments.options) {
    if (option.find_first_of("\n\r") != std::string::npos)
      throw Error(ErrorKind::config, "--option: one option each, without a line break");
  }
}

/// Output of a command of the batch system. Error(config) if it is not here or refuses.
std::string ask_batch_system(const std::vector<std::string>& words, const fs::path& script) {
  const std::string line = shell_line(words);
  std::FILE* pipe = ::popen(line.c_str(), "r");
  if (pipe == nullptr) throw Error(ErrorKind::internal, fmt::format("{}: {}", line, std::strerror(errno)));
  std::string output;
  std::array<char, 4096> block{};
  while (const std::size_t n = std::fread(block.data(), 1, block.size(), pipe)) output.append(block.data(), n);
  const int status = ::pclose(pipe);
  if (status == 0) return std::string(trim(output));
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  throw Error(ErrorKind::config,
              fmt::format("{}: {} (exit code {}); the cells are in the database and {} is written: submit it from a "
                          "machine of the cluster",
                          line, code == 127 ? "there is no such program here" : "refused", code, script.string()));
}

/// Children of ours, ended with us.
class LocalProcesses {
 public:
  ~LocalProcesses() {
    for (const pid_t process : running_) ::kill(process, SIGKILL);
    for (const pid_t process : running_) ::waitpid(process, nullptr, 0);
  }
  /// `log` empty: our own output.
  void start(const std::vector<std::string>& words, const std::string& rank, const fs::path& log) {
    std::vector<std::string> texts = words;
    std::vector<char*> arguments;
    for (std::string& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);
    const int output = log.empty() ? -1 : ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (!log.empty() && output < 0)
      throw Error(ErrorKind::data, fmt::format("{}: cannot be written: {}", log.string(), std::strerror(errno)));
    const std::string variable = "RANK=" + rank;
    std::vector<char*> variables;
    for (char** one = environ; *one != nullptr; ++one) {
      if (std::string_view(*one).substr(0, 5) != "RANK=") variables.push_back(*one);
    }
    std::string text = variable;
    if (!rank.empty()) variables.push_back(text.data());
    variables.push_back(nullptr);
    const pid_t parent = ::getpid(), process = ::fork();
    if (process == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // we are gone: hand back
      if (::getppid() != parent) ::_exit(127);
      if (output >= 0 && (::dup2(output, STDOUT_FILENO) < 0 || ::dup2(output, STDERR_FILENO) < 0)) ::_exit(127);
      ::execve(arguments[0], arguments.data(), variables.data());
      ::_exit(127);
    }
    const int error = errno;
    if (output >= 0) ::close(output);
    if (process < 0) throw Error(ErrorKind::internal, fmt::format("fork failed: {}", std::strerror(error)));
    running_.push_back(process);
  }
  /// Waits for all, and tells them each time that we are asked to stop. Their exit codes, 128 + a signal's number.
  std::vector<int> wait(const StopSignals& signals) {
    std::vector<int> codes;
    int told = 0;
    while (!running_.empty()) {
      for (; told < signals.count(); ++told) {
        for (const pid_t process : running_) ::kill(process, SIGTERM);
      }
      std::erase_if(running_, [&](pid_t process) {
        int status = 0;
        const pid_t ended = ::waitpid(process, &status, WNOHANG);
        if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
        codes.push_back(ended < 0 ? 127 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        return true;
      });
      ::usleep(50'000);
    }
    return codes;
  }

 private:
  std::vector<pid_t> running_;
};

/// The largest: 3 and up are workers that could not work at all. One that was killed counts as 1; 127 is a program that
/// is not there.
int worst_of(const std::vector<int>& codes) {
  int worst = 0;
  for (const int code : codes) worst = std::max(worst, code > 8 && code != 127 ? 1 : code);
  return worst;
}

/// What workers that we waited for have left. mpirun says 0 whatever its ranks did, and a worker that was killed is no
/// harm where others did its cells: the database knows.
int exit_code_of(Plan& plan, int worst, const StopSignals& signals) {
  if (worst > exit_code(ErrorKind::interrupted)) return worst;
  Session session = Session::open(plan.database);
  compare(plan, &session.planning());
  if (plan.cells_to_run() == 0) return 0;
  return worst == exit_code(ErrorKind::interrupted) || signals.count() > 0 ? exit_code(ErrorKind::interrupted) : 1;
}

int run_local(const BatchJob& job, const StopSignals& signals) {
  LocalProcesses processes;
  for (std::int64_t i = 0; i < job.workers; ++i)
    processes.start(worker_words(job.worker), std::to_string(i), job.logs / fmt::format("worker-{}.log", i));
  log_info(fmt::format("{} workers; what they say is in {}", job.workers, job.logs.string()));
  return worst_of(processes.wait(signals));
}

int run_mpi(const fs::path& script, const StopSignals& signals) {
  LocalProcesses processes;
  processes.start({"/bin/sh", script.string()}, "", "");
  const int code = worst_of(processes.wait(signals));
  if (code == 127)
    throw Error(ErrorKind::config, fmt::format("{}: there is no mpirun here; the cells are in the database: run this "
                                               "script where it is",
                                               script.string()));
  return code;
}

/// SQLite's file serves the processes of one machine.
void tell_of_sharing(const SubmitArguments& arguments, const Plan& plan) {
  if (arguments.launcher == "local" || is_server(plan.database)) return;
  log_warn(
      fmt::format("{} can be shared by workers on one machine only; keep them on one (Slurm: "
                  "--option=--nodelist=NAME), or see docs/clusters.md",
                  plan.database.string()));
}

}  // namespace

int submit_verb(const SubmitArguments& arguments) {
  check(arguments);
  Plan plan = plan_of(arguments.run, experiment_of(arguments.run));
  const BatchJob job = batch_job(arguments, plan);
  const std::string text = text_of(arguments, job);
  if (arguments.print) {
    fmt::print("{}", text);
    return 0;
  }
  put_for_workers(plan);
  const std::int64_t to_run = plan.cells_to_run();
  const std::string& launcher = arguments.launcher;
  const fs::path script = job.logs / (launcher == "k8s" ? "job.yaml" : launcher + ".sh");
  nlohmann::json document{{"experiment", plan.experiment.name},
                          {"database", job.worker.database},
                          {"to_run", to_run},
                          {"workers", job.workers},
                          {"launcher", launcher},
                          {"script", script.string()},
                          {"job", nullptr}};
  int code = 0;
  if (to_run > 0) {
    tell_of_sharing(arguments, plan);
    write_file_atomic(script, text);
    if (launcher == "local" || launcher == "mpi") {
      const StopSignals signals;
      code = exit_code_of(plan, launcher == "local" ? run_local(job, signals) : run_mpi(script, signals), signals);
    } else if (launcher == "slurm") {
      document["job"] = ask_batch_system({"sbatch", "--parsable", script.string()}, script);
    } else {
      const std::vector<std::string> words{"kubectl", "apply", "-o", "name", "-f", script.string()};
      document["job"] = ask_batch_system(words, script);
    }
  }
  if (arguments.run.json) {
    document["exit"] = code;
    fmt::print("{}\n", document.dump());
    return code;
  }
  if (to_run == 0) {
    fmt::print("nothing to do: every cell of experiment {} is done\n", plan.experiment.name);
  } else if (document["job"].is_string()) {
    fmt::print("{} cells put, {} workers submitted as {}; follow them with nearfar status --db {}\n", to_run,
               job.workers, document["job"].get<std::string>(), job.worker.database);
  } else {
    fmt::print("{} cells put, {} workers ended with exit code {}; see nearfar status --db {}\n", to_run, job.workers,
               code, job.worker.database);
  }
  return code;
}

}  // namespace nearfar
