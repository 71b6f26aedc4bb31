#pragma once
/// The other processes of a data-parallel training on this machine: started by rank 0 as copies of itself, ended with
/// it.
#include "train/ranks.h"
#include "wire/jobs.h"

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace nearfar {

/// Of one training, in rank 0. A rank that dies ends the training: what rank 0 waits for breaks off in moments; where
/// it does not, the process says which rank it was and exits after a few seconds.
class LocalRanks {
 public:
  /// Starts the ranks 1 … size - 1, which meet at `port`. Error(internal) if no process can be started.
  LocalRanks(const wire::TrainJob& job, int size, std::uint16_t port);
  ~LocalRanks();  ///< those that still run are killed
  LocalRanks(const LocalRanks&) = delete;
  LocalRanks& operator=(const LocalRanks&) = delete;

  /// Waits until all have ended. Error(plugin) for one that ended badly.
  void finish();
  /// "rank 1 was killed by signal 9" of the first that ended badly, waiting a moment for it; "" = none.
  std::string casualty();

 private:
  void watch();
  std::string dead_text();

  std::vector<pid_t> processes_;  ///< rank 1 first
  std::mutex mutex_;
  std::string dead_;
  std::atomic<std::size_t> ended_ = 0;
  std::atomic<bool> over_ = false;  ///< rank 0 knows how it ended
  std::thread watcher_;
};

/// The processes that this one trains with: of the environment where the job says so (ranks = 0) or where rank 0 has
/// started this one; else started here (ranks > 1), or none.
struct Companions {
  std::unique_ptr<RankGroup> group;
  std::unique_ptr<LocalRanks> local;
};
Companions find_companions(const wire::TrainJob& job);

/// job.compute, with the device of this process among those that train together: "cuda" is one after the other of the
/// machine's for its ranks.
wire::Compute compute_of_rank(const wire::TrainJob& job);

}  // namespace nearfar
