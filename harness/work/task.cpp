#include "work/task.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>

namespace nearfar {
namespace {

constexpr const char* kInterrupted = "interrupted";

CellState state_of(const std::string& name) {
  return name == "nan"       ? CellState::nan
         : name == "oom"     ? CellState::oom
         : name == "crashed" ? CellState::crashed
                             : CellState::failed;
}

/// Nobody says why a process got SIGKILL. That it was for want of memory is shown by the kernel's count of such kills,
/// or by a process that held nearly all there is.
bool was_out_of_memory(const ProcessExit& exit, std::int64_t machine_memory) {
  constexpr double kNearlyAll = 0.9;
  return exit.signal == SIGKILL &&
         (exit.oom_killed || (machine_memory > 0 && static_cast<double>(exit.peak_bytes) >=
                                                        kNearlyAll * static_cast<double>(machine_memory)));
}

}  // namespace

Task::Task(std::vector<Owed> owed, TaskOptions options, double now)
    : options_(std::move(options)), since_(now), heard_(now) {
  for (Owed& cell : owed) {
    if (cell.kind == CellKind::train) {
      training_ = true;
      current_ = {cell.key};  // a train job has one cell, and works for nothing else
    }
    all_.emplace(cell.key, cell);
  }
  owed_ = all_;
}

const std::string& Task::label_of(const std::string& key) const { return all_.at(key).label; }

void Task::charge(double now) {
  const double passed = now - since_;
  since_ = now;
  if (current_.empty()) nobody_ += passed;
  for (const std::string& key : current_) spent_[key] += passed;
}

void Task::fail(Effects& effects, const std::string& key, CellState state, const std::string& message) {
  if (owed_.erase(key) == 1) effects.push_back(FailCell{key, state, message});
}

void Task::hand_back(Effects& effects, const std::string& key, const std::string& message, bool again) {
  if (owed_.erase(key) == 1) effects.push_back(HandBack{key, message, again});
}

template <class Message>
void Task::done(Effects& effects, const Message& message) {
  if (owed_.erase(message.cell) == 1) effects.push_back(Done{message.cell, message});
}

Effects Task::on(const wire::AnyMessage& message, double now) {
  Effects effects;
  heard_ = now;
  if (const auto* progress = std::get_if<wire::Progress>(&message)) {
    progress_ = progress->done / std::max(1.0, progress->total);
    note_ = progress->note;
  } else if (const auto* begin = std::get_if<wire::Begin>(&message)) {
    charge(now);
    nobody_ = 0;
    current_ = begin->cells;
  } else if (const auto* trained = std::get_if<wire::Trained>(&message)) {
    done(effects, *trained);
  } else if (const auto* passed = std::get_if<wire::Passed>(&message)) {
    if (passed->cell.empty()) {
      effects.push_back(Looked{*passed});
    } else {
      done(effects, *passed);
    }
  } else if (const auto* measured = std::get_if<wire::Measured>(&message)) {
    done(effects, *measured);
  } else if (const auto* scored = std::get_if<wire::Scored>(&message)) {
    done(effects, *scored);
  } else if (const auto* failed = std::get_if<wire::Failed>(&message)) {
    fail(effects, failed->cell, state_of(failed->state), failed->message);
  } else if (const auto* skipped = std::get_if<wire::Skipped>(&message)) {
    hand_back(effects, skipped->cell, skipped->message, false);
  } else if (const auto* dying = std::get_if<wire::Dying>(&message)) {
    dying_ = *dying;
  } else if (const auto* error = std::get_if<wire::JobError>(&message)) {
    stopped_outside_ = error->kind == kind_name(ErrorKind::interrupted) && !stopping_;
    job_error_ = error->message;
    job_state_ = state_of(error->state);
  }
  return effects;
}

Effects Task::on_unreadable(const std::string& why) {
  job_error_ = why;
  return {};
}

Effects Task::on_time(double now) {
  charge(now);
  if (stopping_ && !killed_ && now - stop_time_ >= options_.grace_seconds) {
    killed_ = true;
    return {SendSignal{SIGKILL}};
  }
  if (killed_ || stopping_) return {};
  if (options_.hung_seconds > 0 && now - heard_ >= options_.hung_seconds) {
    hung_ = killed_ = true;
    return {SendSignal{SIGKILL}};
  }
  const double limit = options_.timeout_seconds;
  if (limit <= 0) return {};
  for (const std::string& key : current_) {
    if (owes(key) && spent_[key] >= limit) timed_out_.insert(key);
  }
  all_timed_out_ = current_.empty() && nobody_ >= limit;
  if (timed_out_.empty() && !all_timed_out_) return {};
  killed_ = true;
  return {SendSignal{SIGKILL}};
}

Effects Task::stop(double now, bool kill) {
  if (killed_) return {};
  if (!stopping_) stop_time_ = now;
  const bool again = stopping_;
  stopping_ = true;
  killed_ = kill;
  if (kill) return {SendSignal{SIGKILL}};
  return again ? Effects{} : Effects{SendSignal{SIGTERM}};
}

/// What went wrong is the fault of the cells that the child worked for; the others go on in a new child. If it worked
/// for none in particular, the fault is everybody's: else the same would happen again without end.
void Task::blame(Effects& effects, CellState state, const std::string& message) {
  const std::vector<std::string> guilty = current_;
  const std::map<std::string, Owed> owed = owed_;
  for (const auto& [key, cell] : owed) {
    if (guilty.empty() || std::find(guilty.begin(), guilty.end(), key) != guilty.end()) {
      fail(effects, key, state, message);
    } else {
      hand_back(effects, key, "the process that was to do it ended with another cell", true);
    }
  }
}

Effects Task::on_exit(const ProcessExit& exit, double now) {
  charge(now);
  Effects effects;
  if (stopped_outside_) effects.push_back(StoppedOutside{});
  if (!timed_out_.empty() || all_timed_out_) {
    if (!timed_out_.empty()) current_.assign(timed_out_.begin(), timed_out_.end());
    blame(effects, CellState::timeout,
          fmt::format("took longer than run.timeout_seconds = {}", number_text(options_.timeout_seconds)));
    return effects;
  }
  if (stopping_ || stopped_outside_) {
    const std::map<std::string, Owed> owed = owed_;
    for (const auto& [key, cell] : owed) hand_back(effects, key, kInterrupted, false);
    return effects;
  }
  if (!job_error_.empty()) {
    current_.clear();
    blame(effects, job_state_, job_error_);
  } else {
    blame_end(effects, exit);
  }
  return effects;
}

/// Of a process that did not end by our request and did not say that its job failed.
void Task::blame_end(Effects& effects, const ProcessExit& exit) {
  const std::string peak = exit.peak_bytes > 0 ? fmt::format(" (it held {} at most)", bytes_text(exit.peak_bytes)) : "";
  if (hung_) {
    return blame(effects, CellState::hung,
                 fmt::format("gave no sign of life for run.hung_seconds = {}; its output is in {}",
                             number_text(options_.hung_seconds), options_.log));
  }
  if (exit.killed_for == KilledFor::memory) {
    return blame(effects, CellState::oom,
                 fmt::format("needed more than run.memory_limit = {}{}", bytes_text(options_.memory_limit), peak));
  }
  if (exit.killed_for == KilledFor::processes) {
    return blame(effects, CellState::crashed, "started more processes than it may, and was killed with them");
  }
  if (was_out_of_memory(exit, options_.machine_memory)) {
    return blame(effects, CellState::oom,
                 fmt::format("the machine ran out of memory and the kernel killed the engine{}; fewer jobs at a time "
                             "(-j) or a smaller train.batch_size may help",
                             peak));
  }
  const std::string said = dying_.message.empty() ? "" : dying_.message + ": ";
  const CellState state = dying_.message.empty() ? CellState::crashed : state_of(dying_.state);
  const std::string how = exit.signal != 0
                              ? fmt::format("was ended by signal {} ({})", exit.signal, ::strsignal(exit.signal))
                              : fmt::format("ended with exit code {} before the cell was done", exit.code);
  blame(effects, state, fmt::format("{}the engine {}{}; its output is in {}", said, how, peak, options_.log));
}

}  // namespace nearfar
