#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "engine/classifier.h"
#include "engine/device_use.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/model_features.h"
#include "engine/observation.h"
#include "engine/scoring.h"
#include "engine/tuning.h"
#include "engine/verbs.h"
#include "features/folder.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <exception>
#include <optional>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// The trace of a search, as a file beside the scores.
void write_trace(const fs::path& file, const GroupCell& cell, const wire::Tuned& tuned) {
  nlohmann::json points = nlohmann::json::array();
  for (const wire::GridPoint& point : tuned.points) {
    nlohmann::json row{{"params", point.params}, {"auroc", point.auroc.value_or(0)}};
    if (!point.refused.empty()) row["refused"] = point.refused;
    points.push_back(std::move(row));
  }
  const nlohmann::json document{{"criterion", "auroc"}, {"id", "val"},
                                {"ood", "ood_val"},     {"grid", grid_text(cell.grid)},
                                {"points", points},     {"chosen", tuned.chosen},
                                {"ties", tuned.ties},   {"tie_rule", "the first of the highest"}};
  write_file_atomic(file, document.dump(2) + "\n");
}

/// One model's cells, in the order in which they are done.
class EvalGroup {
 public:
  EvalGroup(const wire::EvalJob& job, at::Device device)
      : job_(job), device_(device), meter_(device), out_(job.out), features_(job, device) {
    load_plugins();
  }

  void run() {
    observation_.emplace(features_, job_.fit_sets, job_.score_sets, cells_, calls());
    observation_->run();
    folder_.reset();  // more sets are there now
    if (job_.accuracy) accuracy(*job_.accuracy);
    for (GroupCell& cell : cells_) {
      if (cell.ended) continue;
      if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between postprocessors");
      send(wire::Begin{{cell.job.cell}});
      guarded(cell.job.cell, [&] { send(scored(cell)); });
    }
  }

 private:
  void load_plugins() {
    cells_.reserve(job_.cells.size());  // Observation refers to them
    for (const wire::EvalCell& cell : job_.cells) {
      send(wire::Begin{{cell.cell}});  // loading a plugin may end the process
      guarded(cell.cell, [&] { cells_.emplace_back(cell, load_planned(cell.postprocessor)); });
    }
    send(wire::Begin{});
  }

  /// A failure costs this cell; being told to stop does not.
  static void guarded(const std::string& cell, const std::function<void()>& body) {
    try {
      body();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      send_failed(cell, std::current_exception());
    } catch (const std::exception&) {
      send_failed(cell, std::current_exception());
    }
  }

  Observation::Calls calls() {
    return {
        .failed = [](GroupCell& cell, const std::exception_ptr& why) { send_failed(cell.job.cell, why); },
        .skipped =
            [](GroupCell& cell, const std::string& set) {
              send(wire::Skipped{cell.job.cell, fmt::format("the features of '{}' failed", set)});
            },
        .search = [this](GroupCell& cell) { search(cell, device_); },
        .begin = [](const std::vector<std::string>& cells) { send(wire::Begin{cells}); },
        .passed = [this](const wire::PassCell& pass, const std::string& cell, double seconds,
                         const PassCounts& counts) { passed(pass, cell, seconds, counts); },
        .pass_failed = [](const wire::PassCell& pass, const std::exception_ptr& why) { send_failed(pass.cell, why); }};
  }

  void passed(const wire::PassCell& pass, const std::string& cell, double seconds, const PassCounts& counts) {
    if (cell.empty() && counts.forward == 0) return;  // all was there
    const ImageFaults faults = features_.faults(pass.set.name);
    wire::Passed message{.cell = cell,
                         .set = pass.set.name,
                         .seconds = seconds,
                         .cost = {counts.forward, counts.gradients, counts.changed, counts.float64},
                         .unreadable = faults.unreadable,
                         .damaged = faults.damaged,
                         .device = meter_.read()};
    if (!cell.empty()) {
      message.artifacts.push_back(
          artifact("features", job_.features_out, features_.folder() / pass.set.name / "manifest.json"));
    }
    send(message);
  }

  void accuracy(const wire::AccuracyCell& cell) {
    send(wire::Begin{{cell.cell}});
    std::vector<std::string> sets{"test"};
    for (const wire::Protocol& protocol : job_.protocols)
      sets.insert(sets.end(), protocol.csid.begin(), protocol.csid.end());
    for (const wire::PassCell& pass : job_.fit_sets) sets.push_back(pass.set.name);
    for (const std::string& set : sets) {
      if (!observation_->broken().contains(set)) continue;
      return send(wire::Skipped{cell.cell, fmt::format("the features of '{}' failed", set)});
    }
    guarded(cell.cell, [&] {
      wire::Measured measured = measure_classifier(folder(), job_.protocols, out_, cell.folder);
      measured.cell = cell.cell;
      tell_faults(measured);
      send(measured);
    });
  }

  /// One for all cells: what it has looked at it remembers.
  const FeatureFolder& folder() {
    if (!folder_) folder_.emplace(features_.folder());
    return *folder_;
  }

  PointColumns columns_of(const GroupCell& cell) {
    if (!cell.observing()) return {};
    return [this, &cell](const ParamMap& params) { return observation_->columns(cell, params); };
  }

  void search(GroupCell& cell, at::Device device) {
    const SearchResult result = tune(cell.plugin, cell.fixed, cell.grid, folder(), device, columns_of(cell));
    wire::Tuned tuned{
        .chosen = canonical_params(result.chosen), .points = {}, .ties = static_cast<std::int64_t>(result.ties)};
    for (const SearchPoint& point : result.trace) {
      const bool refused = !point.refused.empty();
      tuned.points.push_back(
          {canonical_params(point.params), refused ? std::nullopt : std::optional(point.auroc), point.refused});
    }
    const fs::path file = out_ / cell.job.folder / "tune.json";
    write_trace(file, cell, tuned);
    cell.artifacts.push_back(artifact("tune", out_, file));
    cell.tuned = std::move(tuned);
    cell.params = cell.fixed;
    cell.params.insert(result.chosen.begin(), result.chosen.end());
  }

  /// On the CPU where the device's memory is too small for the method.
  wire::Scored scored(GroupCell& cell) {
    const bool fitted = observation_->is_fitted(cell);
    try {
      return scored_on(cell, device_);
    } catch (const std::exception& error) {
      if (!is_out_of_memory(error) || device_.is_cpu() || fitted) throw;
      log_warn(fmt::format("{}: {}; it is computed on the CPU instead", cell.plugin.label(), message_of(error)));
    }
    wire::Scored message = scored_on(cell, at::kCPU);
    message.on_cpu = true;
    return message;
  }

  wire::Scored scored_on(GroupCell& cell, at::Device device) {
    wire::Scored message{.cell = cell.job.cell};
    const FeatureFolder& features = folder();
    std::optional<Observation::Fitted> fitted = observation_->take_fitted(cell);
    const Stopwatch whole;
    if (!cell.chosen) search(cell, device);
    message.tuned = cell.tuned;
    message.artifacts = cell.artifacts;
    const std::string where =
        cell.grid.empty() ? cell.plugin.label()
                          : fmt::format("{} with the chosen {}", cell.plugin.label(), canonical_params(cell.params));
    PostprocessorHandle postprocessor =
        fitted ? std::move(fitted->handle) : PostprocessorHandle(cell.plugin, cell.params, where);
    const PointColumns columns = columns_of(cell);
    const Columns own = columns ? columns(postprocessor.params().values()) : Columns{};
    if (!fitted) fit(postprocessor, features, device, own);
    message.seconds_fit = fitted ? fitted->seconds : whole.seconds();
    const Stopwatch watch;
    for (const wire::PassCell& pass : job_.score_sets) {
      const at::Tensor scores = score_set(postprocessor, features, pass.set.name, device, own);
      const fs::path file = fs::path(cell.job.folder) / "scores" / (pass.set.name + ".npy");
      save_scores(out_ / file, scores);
      message.scores.push_back({pass.set.name, file.string(), sha256_file(out_ / file), scores.size(0)});
    }
    message.seconds_score = watch.seconds();
    message.device = meter_.read();
    tell_faults(message);
    return message;
  }

  /// Of all sets of the job.
  template <class Message>
  void tell_faults(Message& message) const {
    for (const auto* sets : {&job_.fit_sets, &job_.score_sets}) {
      for (const wire::PassCell& pass : *sets) {
        const ImageFaults faults = features_.faults(pass.set.name);
        message.unreadable += faults.unreadable;
        message.damaged += faults.damaged;
      }
    }
  }

  const wire::EvalJob& job_;
  at::Device device_;
  DeviceUseMeter meter_;
  fs::path out_;
  ModelFeatures features_;
  std::vector<GroupCell> cells_;
  std::optional<Observation> observation_;
  std::optional<FeatureFolder> folder_;
};

}  // namespace

void eval_group(const wire::EvalJob& job) {
  const at::Device device = prepare_torch(job.compute);
  EvalGroup(job, device).run();
}

}  // namespace nearfar
