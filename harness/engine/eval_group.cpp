#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/stopwatch.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/model.h"
#include "engine/scoring.h"
#include "engine/tuning.h"
#include "engine/verbs.h"
#include "features/folder.h"

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
};

std::string relative_to(const fs::path& out, const fs::path& file) { return fs::relative(file, out).string(); }

/// The search of a cell: its message, and the trace as a file beside the scores.
ParamMap search(const json& cell, const LoadedPlugin& plugin, const ParamGrid& grid, const Group& group, json& message) {
  const TuneResult result = tune(plugin, params_of(cell), grid, group.features);
  json points = json::array();
  for (const TunePoint& point : result.trace) {
    json row{{"params", canonical_params(point.params)}, {"auroc", point.auroc}};
    if (!point.refused.empty()) row["refused"] = point.refused;
    points.push_back(std::move(row));
  }
  message["tuned"] = {{"chosen", canonical_params(result.chosen)}, {"points", points}};
  const fs::path file = group.out / cell.at("folder").get<std::string>() / "tune.json";
  const json document{{"criterion", "auroc"},    {"id", "val"},      {"ood", "ood_val"},
                      {"grid", grid_text(grid)}, {"points", points}, {"chosen", canonical_params(result.chosen)}};
  write_file_atomic(file, document.dump(2) + "\n");
  message["artifacts"] = {
      {{"name", "tune"}, {"path", relative_to(group.out, file)}, {"sha256", sha256_file(file)}, {"bytes", fs::file_size(file)}}};
  ParamMap params = params_of(cell);
  params.insert(result.chosen.begin(), result.chosen.end());
  return params;
}

/// One eval cell: what it sends when it is done.
json score_cell(const json& cell, const Group& group) {
  const LoadedPlugin plugin = plugin_of(cell);
  json message{{"type", "scored"},
               {"cell", cell.at("cell")},
               {"scores", json::array()},
               {"accuracy", json::array()},
               {"classifier", group.accuracy.classifier},
               {"unreadable", group.unreadable}};
  for (const AccuracyRow& row : group.accuracy.rows)
    message["accuracy"].push_back({{"protocol", row.protocol}, {"dataset", row.dataset}, {"value", row.value}});
  const ParamGrid grid = grid_from_text(plugin.params(), cell.at("grid").get<std::string>(), plugin.label());
  const Stopwatch whole;
  const ParamMap params = grid.empty() ? params_of(cell) : search(cell, plugin, grid, group, message);
  PostprocessorHandle postprocessor(plugin, params, plugin.label());
  fit(postprocessor, group.features);
  message["seconds_fit"] = whole.seconds();
  const Stopwatch watch;
  for (const PlannedSet& set : group.sets) {
    const at::Tensor scores = score_set(postprocessor, group.features, set.name);
    const fs::path file = fs::path(cell.at("folder").get<std::string>()) / "scores" / (set.name + ".npy");
    save_scores(group.out / file, scores);
    message["scores"].push_back(
        {{"set", set.name}, {"path", file.string()}, {"sha256", sha256_file(group.out / file)}, {"count", scores.size(0)}});
  }
  message["seconds_score"] = watch.seconds();
  return message;
}
}  // namespace

void eval_group(const json& job) {
  prepare_torch(job);
  const std::vector<PlannedSet> score_sets = planned_sets(job.at("score_sets"));
  std::vector<PlannedSet> all = planned_sets(job.at("fit_sets"));
  all.insert(all.end(), score_sets.begin(), score_sets.end());
  const fs::path folder = collect_features(job, all);
  const FeatureFolder features(folder);
  const Group group{.out = job.at("out").get<std::string>(),
                    .features = features,
                    .sets = score_sets,
                    .accuracy = model_accuracy(job, features),
                    .unreadable = unreadable_images(folder, all)};
  for (const json& cell : job.at("cells")) {
    if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between postprocessors");
    send({{"type", "begin"}, {"cell", cell.at("cell")}});
    const auto failed = [&](std::string_view kind, const char* what) {
      send({{"type", "failed"}, {"cell", cell.at("cell")}, {"state", "failed"}, {"kind", kind}, {"message", what}});
    };
    try {
      send(score_cell(cell, group));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      failed(kind_name(error.kind()), error.what());
    } catch (const std::exception& error) {
      failed("internal", error.what());
    }
  }
}

}  // namespace nearfar
