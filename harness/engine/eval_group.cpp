#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/stopwatch.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/model.h"
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
using nlohmann::json;

/// Everything that the cells of a job share.
struct Group {
  fs::path out;
  FeatureFolder features;
  std::vector<PlannedSet> sets;  ///< that are scored
  ModelAccuracy accuracy;
  std::int64_t unreadable = 0;
  json quality = {};  ///< of the classifier; null = unknown
  json quality_file = {};
};

std::string relative_to(const fs::path& out, const fs::path& file) { return fs::relative(file, out).string(); }

json artifact_json(const char* name, const fs::path& out, const fs::path& file) {
  return {
      {"name", name}, {"path", relative_to(out, file)}, {"sha256", sha256_file(file)}, {"bytes", fs::file_size(file)}};
}

/// The search of a cell: what its message says of it, and the trace as a file beside the scores.
void search(GroupCell& cell, const fs::path& out, const FeatureFolder& features, const PointColumns& columns) {
  const TuneResult result = tune(cell.plugin, cell.fixed, cell.grid, features, columns);
  json points = json::array();
  for (const TunePoint& point : result.trace) {
    json row{{"params", canonical_params(point.params)}, {"auroc", point.auroc}};
    if (!point.refused.empty()) row["refused"] = point.refused;
    points.push_back(std::move(row));
  }
  cell.found["tuned"] = {{"chosen", canonical_params(result.chosen)}, {"points", points}, {"ties", result.ties}};
  const fs::path file = out / cell.job.at("folder").get<std::string>() / "tune.json";
  const json document{{"criterion", "auroc"}, {"id", "val"},
                      {"ood", "ood_val"},     {"grid", grid_text(cell.grid)},
                      {"points", points},     {"chosen", canonical_params(result.chosen)},
                      {"ties", result.ties},  {"tie_rule", "the first of the highest"}};
  write_file_atomic(file, document.dump(2) + "\n");
  cell.found["artifact"] = artifact_json("tune", out, file);
  cell.params = cell.fixed;
  cell.params.insert(result.chosen.begin(), result.chosen.end());
}

/// One eval cell: what it sends when it is done.
json score_cell(GroupCell& cell, const Group& group, const PointColumns& columns,
                std::optional<Observation::Fitted> fitted) {
  json message{{"type", "scored"},
               {"cell", cell.job.at("cell")},
               {"scores", json::array()},
               {"accuracy", json::array()},
               {"classifier", group.accuracy.classifier},
               {"quality", group.quality},
               {"artifacts", json::array()},
               {"unreadable", group.unreadable}};
  if (!group.quality_file.is_null()) message["artifacts"].push_back(group.quality_file);
  for (const AccuracyRow& row : group.accuracy.rows)
    message["accuracy"].push_back({{"protocol", row.protocol}, {"dataset", row.dataset}, {"value", row.value}});
  const Stopwatch whole;
  if (!cell.chosen) search(cell, group.out, group.features, columns);
  if (!cell.found.is_null()) {
    message["tuned"] = cell.found.at("tuned");
    message["artifacts"].push_back(cell.found.at("artifact"));
  }
  const std::string where =
      cell.grid.empty() ? cell.plugin.label()
                        : fmt::format("{} with the chosen {}", cell.plugin.label(), canonical_params(cell.params));
  PostprocessorHandle postprocessor =
      fitted ? std::move(fitted->handle) : PostprocessorHandle(cell.plugin, cell.params, where);
  const Columns own = columns ? columns(postprocessor.params().values()) : Columns{};
  if (!fitted) fit(postprocessor, group.features, own);
  message["seconds_fit"] = fitted ? fitted->seconds : whole.seconds();
  const Stopwatch watch;
  for (const PlannedSet& set : group.sets) {
    const at::Tensor scores = score_set(postprocessor, group.features, set.name, own);
    const fs::path file = fs::path(cell.job.at("folder").get<std::string>()) / "scores" / (set.name + ".npy");
    save_scores(group.out / file, scores);
    message["scores"].push_back({{"set", set.name},
                                 {"path", file.string()},
                                 {"sha256", sha256_file(group.out / file)},
                                 {"count", scores.size(0)}});
  }
  message["seconds_score"] = watch.seconds();
  return message;
}

void send_failed(const json& cell_job, const std::exception_ptr& why) {
  std::string_view kind = "internal";
  std::string message;
  try {
    std::rethrow_exception(why);
  } catch (const Error& error) {
    kind = kind_name(error.kind());
    message = error.what();
  } catch (const std::exception& error) {
    message = error.what();
  }
  send({{"type", "failed"}, {"cell", cell_job.at("cell")}, {"state", "failed"}, {"kind", kind}, {"message", message}});
}

json passes_json(const std::vector<ModelFeatures::Pass>& passes) {
  json rows = json::array();
  for (const ModelFeatures::Pass& pass : passes) {
    rows.push_back({{"set", pass.set},
                    {"forward", pass.counts.forward},
                    {"gradients", pass.counts.gradients},
                    {"changed", pass.counts.changed},
                    {"float64", pass.counts.float64}});
  }
  return rows;
}

Group group_of(const json& job, const fs::path& folder, const std::vector<PlannedSet>& fit_sets,
               const std::vector<PlannedSet>& score_sets) {
  std::vector<PlannedSet> all = fit_sets;
  all.insert(all.end(), score_sets.begin(), score_sets.end());
  const FeatureFolder features(folder);
  return {.out = job.at("out").get<std::string>(),
          .features = features,
          .sets = score_sets,
          .accuracy = model_accuracy(job, features),
          .unreadable = unreadable_images(folder, all)};
}
/// Written beside the model's own files; every eval cell of the model names it.
void add_quality(const json& job, Group& group) {
  group.quality = classifier_quality(group.features, group.accuracy);
  if (group.quality.is_null()) return;
  const fs::path file = group.out / job.at("folder").get<std::string>() / "quality.json";
  write_file_atomic(file, group.quality.dump(2) + "\n");
  group.quality_file = artifact_json("quality", group.out, file);
}
}  // namespace

void eval_group(const json& job) {
  prepare_torch(job);
  const std::vector<PlannedSet> fit_sets = planned_sets(job.at("fit_sets")),
                                score_sets = planned_sets(job.at("score_sets"));
  std::vector<GroupCell> cells;
  for (const json& cell : job.at("cells")) {
    send({{"type", "begin"}, {"cell", cell.at("cell")}});  // loading a plugin may end the process
    try {
      cells.emplace_back(cell, plugin_of(cell));
    } catch (const std::exception&) {
      send_failed(cell, std::current_exception());
    }
  }
  send({{"type", "begin"}, {"cell", ""}});
  ModelFeatures features(job, fit_sets.size() + score_sets.size());
  const fs::path out = job.at("out").get<std::string>();
  std::optional<Observation> observation;
  const auto columns_of = [&](const GroupCell& cell) -> PointColumns {
    if (!cell.observing()) return {};
    return [&observation, &cell](const ParamMap& params) { return observation->columns(cell, params); };
  };
  const Observation::Calls calls{
      .failed = [](GroupCell& cell, const std::exception_ptr& why) { send_failed(cell.job, why); },
      .search = [&](GroupCell& cell) { search(cell, out, FeatureFolder(features.folder()), columns_of(cell)); },
      .begin =
          [](const GroupCell* cell) {
            send({{"type", "begin"}, {"cell", cell == nullptr ? json("") : cell->job.at("cell")}});
          }};
  observation.emplace(features, fit_sets, score_sets, cells, calls);
  observation->run();
  send({{"type", "passes"}, {"passes", passes_json(features.passes())}});
  Group group = group_of(job, features.folder(), fit_sets, score_sets);
  add_quality(job, group);
  for (GroupCell& cell : cells) {
    if (cell.failed) continue;
    if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between postprocessors");
    send({{"type", "begin"}, {"cell", cell.job.at("cell")}});
    try {
      send(score_cell(cell, group, columns_of(cell), observation->take_fitted(cell)));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      send_failed(cell.job, std::current_exception());
    } catch (const std::exception&) {
      send_failed(cell.job, std::current_exception());
    }
  }
}

}  // namespace nearfar
