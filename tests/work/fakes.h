#pragma once
/// Engines that do their job at once, as a script says; and a clock that is wound by hand.
#include "base/npy.h"
#include "wire/jobs.h"
#include "wire/messages.h"
#include "work/process.h"

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace nearfar::testing {

class FakeClock final : public Clock {
 public:
  double seconds() const override { return now_ += 0.5; }  // so that nothing waits for ever
  void advance(double seconds) { now_ += seconds; }

 private:
  mutable double now_ = 0;
};

/// One engine: its lines come one batch a read.
class FakeProcess final : public Process {
 public:
  FakeProcess(std::vector<std::string> lines, ProcessExit exit) : lines_(std::move(lines)), exit_(exit) {}
  int message_fd() const override { return -1; }
  std::vector<std::string> read_lines() override {
    ended_ = !waits_for_kill_;
    return std::exchange(lines_, {});
  }
  bool ended() const override { return ended_; }
  void signal(int number) override {
    signals_.push_back(number);
    if (number == 9) {
      ended_ = true;
      exit_ = {0, 9};
    }
  }
  ProcessExit wait() override { return exit_; }
  void hang() { waits_for_kill_ = true; }
  std::vector<int> signals_ = {};

 private:
  std::vector<std::string> lines_;
  ProcessExit exit_;
  bool ended_ = false, waits_for_kill_ = false;
};

/// What the fake engine does of a job.
struct FakeOrders {
  std::set<std::string> crash_on = {};      ///< labels of sets or names of postprocessors that end the process
  int crashes = 1'000'000;                  ///< so often; then what they would do
  std::set<std::string> hang = {};          ///< names of postprocessors during which the engine says nothing more
  std::set<std::string> fail = {};          ///< names of postprocessors, of sets, or "train", that fail
  std::set<std::string> stop_outside = {};  ///< "train": the engine says it was stopped
  bool refuse_launch = false;
};

class FakeLauncher final : public Launcher {
 public:
  explicit FakeLauncher(FakeOrders given = {}) : orders(std::move(given)) {}

  std::unique_ptr<Process> launch(const LaunchRequest& request) override {
    if (orders.refuse_launch)
      throw Error(ErrorKind::internal, "child process: fork failed: Resource temporarily unavailable");
    launched.push_back(request.verb);
    lines_.clear();
    exit_ = {};
    hangs_ = false;
    if (request.verb == "train") {
      train(wire::parse<wire::TrainJob>(request.job, "train job"));
    } else {
      eval(wire::parse<wire::EvalJob>(request.job, "eval job"));
    }
    auto process = std::make_unique<FakeProcess>(lines_, exit_);
    if (hangs_) process->hang();
    return process;
  }

  FakeOrders orders;
  std::vector<std::string> launched = {};  ///< verbs
  std::vector<wire::EvalJob> evals = {};
  std::vector<std::string> passed = {};  ///< "model set" of every features cell that was done

 private:
  void say(const wire::AnyMessage& message) { lines_.push_back(wire::line_of(message)); }

  wire::Artifact file(const std::string& name, const std::filesystem::path& out, const std::string& path) {
    write_file_atomic(out / path, name);
    return {name, path, "5a", static_cast<std::int64_t>(name.size())};
  }

  void train(const wire::TrainJob& job) {
    if (orders.stop_outside.contains("train")) return say(wire::JobError{"interrupted", "failed", "stopped"});
    if (crashes_at("train")) return crash();
    if (orders.fail.contains("train")) return say(wire::JobError{"plugin", "nan", "the loss is nan"});
    say(wire::Trained{.cell = job.cell,
                      .seconds = 1,
                      .history = {{0, 0.5, 0.1, 0.9}},
                      .val_accuracy = 0.9,
                      .classifier = "linear",
                      .artifacts = {file("checkpoint", job.out, job.folder + "/best.safetensors")}});
  }

  void eval(const wire::EvalJob& job) {
    evals.push_back(job);
    std::set<std::string> broken;
    for (const auto* sets : {&job.fit_sets, &job.score_sets}) {
      for (const wire::PassCell& pass : *sets) {
        if (pass.cell.empty()) continue;
        say(wire::Begin{{pass.cell}});
        if (crashes_at(pass.set.name)) return crash();
        if (orders.fail.contains(pass.set.name)) {
          broken.insert(pass.set.name);
          say(wire::Failed{pass.cell, "failed", "data", "no image"});
          continue;
        }
        passed.push_back(job.label + " " + pass.set.name);
        const std::string features =
            std::filesystem::path(job.model.features).lexically_relative(job.features_out).string();
        say(wire::Passed{
            .cell = pass.cell,
            .set = pass.set.name,
            .cost = {.forward = 10},
            .artifacts = {file("features", job.features_out, features + "/" + pass.set.name + "/manifest.json")}});
      }
    }
    if (job.accuracy) {
      if (broken.empty())
        say(wire::Measured{.cell = job.accuracy->cell, .classifier = "linear", .accuracy = {{"ood", "test", 0.75}}});
      else
        say(wire::Skipped{job.accuracy->cell, "the features failed"});
    }
    for (const wire::EvalCell& cell : job.cells) {
      say(wire::Begin{{cell.cell}});
      const std::string& name = cell.postprocessor.name;
      if (crashes_at(name)) return crash();
      if (orders.hang.contains(name)) {
        hangs_ = true;
        return;
      }
      if (!broken.empty()) {
        say(wire::Skipped{cell.cell, "the features failed"});
      } else if (orders.fail.contains(name)) {
        say(wire::Failed{cell.cell, "failed", "plugin", "boom"});
      } else {
        say(scored(job, cell));
      }
    }
  }

  wire::Scored scored(const wire::EvalJob& job, const wire::EvalCell& cell) {
    wire::Scored message{.cell = cell.cell};
    for (const wire::PassCell& pass : job.score_sets) {
      const std::string path = cell.folder + "/scores/" + pass.set.name + ".npy";
      const std::vector<float> values =
          pass.set.name == "test" ? std::vector<float>{0, 1, 2} : std::vector<float>{1, 2, 3};
      const std::int64_t shape[] = {3};
      write_npy<float>(std::filesystem::path(job.out) / path, shape, values);
      message.scores.push_back({pass.set.name, path, "5a", 3});
    }
    return message;
  }

  bool crashes_at(const std::string& name) { return orders.crash_on.contains(name) && orders.crashes-- > 0; }
  void crash() { exit_ = {0, 11}; }

  std::vector<std::string> lines_;
  ProcessExit exit_;
  bool hangs_ = false;
};

}  // namespace nearfar::testing
