#pragma once
/// A worker: takes ready groups of cells of one experiment from the database's queue, lets engines do them, and
/// stores what they say, until nothing is ready. The queue is the database's: any number of workers may serve it.
/// Interrupted or killed at any moment, the same command goes on where it stopped. One thread.
#include "base/progress.h"
#include "base/signals.h"
#include "store/session.h"
#include "work/device_slots.h"
#include "work/jobs.h"
#include "work/process.h"
#include "work/put.h"
#include "work/task.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {

struct WorkerOptions {
  std::vector<DeviceSlot> devices = {{"cpu", "cpu", ""}};  ///< that children are spread over; at least one
  bool fail_fast =
      false;  ///< stop after the first failed cell; the default is to go on with what does not depend on it
  bool quiet = false;
  double grace_seconds = 30;  ///< an engine that was asked to stop has so long before it is killed
  std::int64_t lease_seconds = 120;
  /// Nothing ready is no end while others run cells of the experiment: what they finish may make cells ready, and what
  /// they leave behind when they die is done here.
  bool wait_for_others = false;
  double stop_after_seconds = 0;  ///< then as if asked to stop; 0 = never
  std::int64_t most_cells = 0;    ///< that are begun; 0 = all
};

struct WorkSummary {
  std::int64_t ran = 0, failed = 0;
  std::int64_t skipped = 0;           ///< not tried: something they need failed, here or there
  std::int64_t elsewhere = 0;         ///< left to other processes, which have not finished them
  std::int64_t done_elsewhere = 0;    ///< finished by other processes meanwhile
  std::int64_t failed_elsewhere = 0;  ///< failed there
  std::int64_t handed_back = 0;       ///< interrupted; they are planned again
  bool interrupted = false;           ///< we were asked to stop, or an engine was
  double seconds = 0;
  /// What the networks looked at: model's label and what it cost. A set that is not listed came from the cache.
  std::vector<std::pair<std::string, PassRow>> passes;
};

/// What a worker is given besides its plan. All outlive it.
struct WorkerWorld {
  Launcher& launcher;
  const Clock& clock;
  std::string owner;                                 ///< store/process.h
  const StopSignals* signals = nullptr;              ///< nullptr: nobody asks us to stop
  std::function<void(std::string_view line)> say{};  ///< a line for people that stays; empty: to stderr
};

class Worker {
 public:
  Worker(const Plan& plan, PutPlan put, Session& session, WorkerWorld world, WorkerOptions options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  WorkSummary run();

 private:
  struct Running;
  struct Place {  // of a key in the plan
    CellKind kind;
    std::size_t index;
  };

  bool stopping() const;
  bool begun_enough(std::size_t besides = 0) const;
  void obey_signals();
  bool start_ready();
  bool start_next();
  void look_at_others(std::size_t model);
  bool others_may_make_ready();
  std::vector<std::string> without_lost_needs(const std::vector<std::string>& keys);
  bool lost(std::size_t model, const std::vector<std::string>& sets) const;
  bool needs_failed(const Place& place) const;
  RunContext context_of(const Place& place, const std::filesystem::path& log, const DeviceSlot& device) const;
  std::size_t idlest_device() const;
  void launch(Running& running, const std::vector<std::string>& keys);
  void read(Running& running);
  void apply(Running& running, const Effects& effects);
  void store_done(Running& running, const Done& done);
  void store_failed(Running& running, const FailCell& failed);
  void give_back(Running& running, const HandBack& back);
  void guarded(const std::string& key, const std::string& label, const std::function<void()>& store);
  void heartbeat();
  void wait_for_messages();
  void show_progress();
  void tell_passes(const Running& running);
  void skip_model(std::size_t model, std::string_view why);
  std::set<std::size_t> models_that_failed(const std::vector<std::string>& keys);
  void count_leftovers();
  void say(std::string_view line);

  const Cell& cell_at(const Place& place) const;
  std::size_t model_at(const Place& place) const;

  const Plan& plan_;
  PutPlan put_;
  Session& session_;
  WorkerWorld world_;
  WorkerOptions options_;
  std::size_t jobs_;
  std::map<std::string, Place, std::less<>> places_;
  std::map<std::pair<std::size_t, std::string>, std::string> features_key_;  ///< (model, set) → key
  std::set<std::string, std::less<>> held_;     ///< keys that this run does not claim (again)
  std::set<std::string, std::less<>> settled_;  ///< keys that are counted in the summary
  std::set<std::string, std::less<>> failed_;
  std::int64_t out_location_ = 0;
  std::vector<std::unique_ptr<Running>> running_;
  Progress progress_;
  WorkSummary summary_;
  double start_ = 0, last_heartbeat_ = 0, no_launch_before_ = 0;
  double no_question_before_ = 0;  ///< nothing was ready, and nothing that we did since made something ready
  double next_look_ = 0, next_recovery_ = 0;
  bool nobody_runs_ = false, told_of_waiting_ = false;
  std::int64_t begun_ = 0;
  int launches_failed_ = 0, stops_seen_ = 0;
};

}  // namespace nearfar
