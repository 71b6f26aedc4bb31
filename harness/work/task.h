#pragma once
/// One child's work as a state machine: what it owes, whose clock runs, and what follows from what it says, from how it
/// ends, and from time that passes. Pure: no process, no clock, no database, so that every case can be tested. Times
/// are seconds of one steady clock.
#include "store/types.h"
#include "wire/messages.h"
#include "work/process.h"

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace nearfar {

/// A cell that the child has been given.
struct Owed {
  std::string key, label;
  CellKind kind = CellKind::eval;
};

// ---- what follows ----
/// The cell is done, by this message.
struct Done {
  std::string key;
  std::variant<wire::Trained, wire::Passed, wire::Measured, wire::Scored> message;
};
/// A look of the network for methods that look inside; no cell's.
struct Looked {
  wire::Passed message;
};
struct FailCell {
  std::string key;
  CellState state = CellState::failed;
  std::string message;
};
/// The cell is planned again. `again`: in this run, too.
struct HandBack {
  std::string key, message;
  bool again = false;
};
struct SendSignal {
  int number = 0;
};
/// The child was told to stop by somebody else.
struct StoppedOutside {};
using Effect = std::variant<Done, Looked, FailCell, HandBack, SendSignal, StoppedOutside>;
using Effects = std::vector<Effect>;

struct TaskOptions {
  double timeout_seconds = 0;       ///< of a cell, all its stretches together; 0 = none
  double hung_seconds = 0;          ///< without a word, and the child hangs; 0 = never
  double grace_seconds = 30;        ///< between the request to stop and the kill
  std::int64_t memory_limit = 0;    ///< run.memory_limit in bytes; 0 = none
  std::int64_t machine_memory = 0;  ///< what there is; 0 = not known
  std::string log = {};             ///< for messages
};

class Task {
 public:
  Task(std::vector<Owed> owed, TaskOptions options, double now);

  Effects on(const wire::AnyMessage& message, double now);
  /// A line that is no message.
  Effects on_unreadable(const std::string& why);
  /// From time to time: timeouts, hangs, and the end of the grace after stop().
  Effects on_time(double now);
  /// Asked to stop: a checkpoint, then the end. `kill`: at once.
  Effects stop(double now, bool kill);
  /// The child is gone; whatever it still owes is settled.
  Effects on_exit(const ProcessExit& exit, double now);

  bool owes(const std::string& key) const { return owed_.contains(key); }
  const std::string& label_of(const std::string& key) const;
  double progress() const { return progress_; }  ///< of what goes on now, 0 … 1
  const std::string& note() const { return note_; }
  bool training() const { return training_; }

 private:
  void charge(double now);
  template <class Message>
  void done(Effects& effects, const Message& message);
  void fail(Effects& effects, const std::string& key, CellState state, const std::string& message);
  void hand_back(Effects& effects, const std::string& key, const std::string& message, bool again);
  void blame(Effects& effects, CellState state, const std::string& message);
  void blame_end(Effects& effects, const ProcessExit& exit);

  TaskOptions options_;
  std::map<std::string, Owed> all_, owed_;
  std::map<std::string, double> spent_;  ///< seconds of each cell that the child has worked for
  std::vector<std::string> current_;     ///< cells it works for now
  double since_ = 0;                     ///< when they began, or were last charged
  double nobody_ = 0;                    ///< seconds in which it worked for no cell in particular
  double heard_ = 0;                     ///< when the child last said anything
  std::set<std::string> timed_out_;
  bool all_timed_out_ = false, hung_ = false;
  bool killed_ = false, stopping_ = false;
  double stop_time_ = 0;
  wire::Dying dying_ = {};  ///< with an empty message: it has said nothing of the kind
  std::string job_error_;
  CellState job_state_ = CellState::failed;
  bool stopped_outside_ = false;
  double progress_ = 0;
  std::string note_;
  bool training_ = false;
};

}  // namespace nearfar
