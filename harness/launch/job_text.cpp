#include "launch/job_text.h"

#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nearfar {
namespace {

std::string heading(const BatchJob& job) {
  return fmt::format("# {} workers of experiment {} in {}; written by `nearfar submit`.\n", job.workers,
                     job.worker.experiment, job.worker.database);
}

/// A value in a #SBATCH line, which Slurm reads with quotes.
std::string sbatch_value(const std::string& text) {
  return text.find_first_of(" \t\"'\\") == std::string::npos ? text : '"' + replace_all(text, "\"", "\\\"") + '"';
}

/// JSON strings are YAML strings.
std::string yaml_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string slurm_script(const BatchJob& job, int signal_seconds) {
  WorkerCommand worker = job.worker;
  const std::int64_t cpus = std::max<std::int64_t>(1, worker.jobs);
  worker.jobs = 0;  // what Slurm gave, which an option may have changed
  std::string text = "#!/bin/bash\n" + heading(job);
  text += fmt::format("#SBATCH --job-name={}\n", sbatch_value(job.name));
  text += fmt::format("#SBATCH --array=0-{}\n", job.workers - 1);
  text += fmt::format("#SBATCH --cpus-per-task={}\n", cpus);
  text += fmt::format("#SBATCH --requeue\n#SBATCH --open-mode=append\n#SBATCH --signal=B:USR2@{}\n", signal_seconds);
  text += fmt::format("#SBATCH --output={}\n", sbatch_value((job.logs / "worker-%a.log").string()));
  for (const std::string& option : job.options) text += "#SBATCH " + option + "\n";
  text += fmt::format(R"(
asked=   # Slurm wants the machine back, or the time is nearly over
worker=
pass_on() {{ [ -z "$worker" ] || kill -s "$1" "$worker" 2>/dev/null; }}
trap 'asked=yes; pass_on USR2' USR2
trap 'pass_on TERM' TERM

{} -j "${{SLURM_CPUS_PER_TASK:-{}}}" &
worker=$!
[ -z "$asked" ] || pass_on USR2
code=0
wait "$worker" || code=$?
while [ "$code" -gt 128 ] && kill -0 "$worker" 2>/dev/null; do  # a signal to us ends the wait, not the worker
  code=0
  wait "$worker" || code=$?
done
if [ "$code" -gt 128 ]; then wait "$worker"; last=$?; [ "$last" = 127 ] || code=$last; fi

# 2: its cells are handed back. 140: the signal came before it could listen, so it had none.
if [ -n "$asked" ] && {{ [ "$code" = 2 ] || [ "$code" = 140 ]; }}; then
  echo "worker ${{SLURM_ARRAY_TASK_ID:-0}}: handed back, queued again"
  scontrol requeue "$SLURM_JOB_ID" && sleep 60  # Slurm ends this script before that
fi
exit "$code"
)",
                      shell_line(worker_words(worker)), cpus);
  return text;
}

std::string mpi_script(const BatchJob& job) {
  std::vector<std::string> words{"mpirun"};
  words.insert(words.end(), job.options.begin(), job.options.end());
  words.insert(words.end(), {"-np", std::to_string(job.workers)});
  const std::vector<std::string> worker = worker_words(job.worker);
  words.insert(words.end(), worker.begin(), worker.end());
  return "#!/bin/sh\n" + heading(job) + R"(# Open MPI would end all workers with the first that fails or dies.
export OMPI_MCA_orte_abort_on_non_zero_status=0 OMPI_MCA_orte_enable_recovery=1
exec )" + shell_line(words) +
         "\n";
}

std::string kubernetes_name(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (plain) {
      name += lower;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  name.resize(std::min<std::size_t>(name.size(), 63));
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "nearfar" : name;
}

std::string kubernetes_job(const BatchJob& job, const PodOptions& pod) {
  const std::int64_t cpus = std::max<std::int64_t>(1, job.worker.jobs);
  const std::string name = kubernetes_name(job.name);
  std::string text = heading(job);
  text += fmt::format("apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {}\n", name);
  if (!pod.pod_namespace.empty()) text += fmt::format("  namespace: {}\n", yaml_text(pod.pod_namespace));
  text += fmt::format(R"(spec:
  completionMode: Indexed  # JOB_COMPLETION_INDEX is a worker's number
  completions: {0}
  parallelism: {0}
  backoffLimitPerIndex: {1}
  podFailurePolicy:
    rules:
      - action: Ignore  # evicted: begun again, and not counted
        onPodConditions:
          - type: DisruptionTarget
            status: "True"
      - action: Ignore  # 2: asked to stop, its cells are handed back
        onExitCodes:
          containerName: worker
          operator: In
          values: [2]
      - action: FailIndex  # cells failed, or cannot be done here: once more would change nothing
        onExitCodes:
          containerName: worker
          operator: In
          values: [1, 4, 5, 6, 7]
  template:
    metadata:
      labels:
        app: {2}
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: {3}
      containers:
        - name: worker
          image: {4}
)",
                      job.workers, pod.retries, name, pod.grace_seconds, yaml_text(pod.image));
  text += "          command:\n";
  for (const std::string& word : worker_words(job.worker)) text += fmt::format("            - {}\n", yaml_text(word));
  text += fmt::format("          resources:\n            requests:\n              cpu: \"{}\"\n", cpus);
  if (pod.claim.empty()) return text;
  text += fmt::format(R"(          volumeMounts:
            - name: results
              mountPath: {}
      volumes:
        - name: results
          persistentVolumeClaim:
            claimName: {}
)",
                      yaml_text(pod.mount), yaml_text(pod.claim));
  return text;
}

}  // namespace nearfar
