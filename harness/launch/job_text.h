#pragma once
/// The text that makes a batch system start workers: `nearfar submit` writes it, submits it, or only prints it. In all
/// of them a number is a worker's, never a cell's: what a cell waits for, tries again or leaves to others is the
/// database's affair, so that late cells need no new job. Pure functions.
#include "launch/worker_command.h"

namespace nearfar {

struct BatchJob {
  WorkerCommand worker = {};
  std::int64_t workers = 1;
  std::string name = {};                  ///< "nearfar-" and the experiment's
  std::filesystem::path logs = {};        ///< folder for what workers say
  std::vector<std::string> options = {};  ///< of the user, for the batch system: "--partition=gpu"
};

/// A bash script for sbatch: an array of workers. Slurm's SIGUSR2 before the end of the time, or before it takes the
/// machine back, goes to the worker; a worker that then handed its cells back is queued again. Cancelled is cancelled.
/// `options` become #SBATCH lines after ours, and win. `signal_seconds`: so long before the end the signal comes.
std::string slurm_script(const BatchJob& job, int signal_seconds = 120);

/// A shell script that runs mpirun with `options`. A worker that fails or dies ends none of the others.
std::string mpi_script(const BatchJob& job);

/// Where a pod finds what it needs.
struct PodOptions {
  std::string image = {};
  std::string pod_namespace = {};  ///< "" = kubectl's
  std::string claim = {};          ///< name of a PersistentVolumeClaim; "" = no volume
  std::string mount = {};          ///< where it is mounted
  int grace_seconds = 120;         ///< between SIGTERM and the kill
  int retries = 3;                 ///< of each worker that ended badly
};
/// An Indexed Job of batch/v1 (Kubernetes 1.33 or later) as YAML: one pod a worker, each tried again by itself. A pod
/// that was evicted, or that handed its cells back, costs no retry; one whose cells failed is not tried again.
std::string kubernetes_job(const BatchJob& job, const PodOptions& pod);

/// A name for an object of Kubernetes (RFC 1123): lower case, digits and '-', at most 63.
std::string kubernetes_name(std::string_view text);

}  // namespace nearfar
