#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/scoring.h"
#include "engine/verbs.h"
#include "features/extract.h"
#include "features/folder.h"
#include "models/checkpoint.h"

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

/// One pass per image set that has no features yet; images are decoded only then.
void collect_features(const json& job, const fs::path& checkpoint, const fs::path& folder, const std::vector<PlannedSet>& sets) {
  const std::string weights = sha256_file(checkpoint);
  std::vector<PlannedSet> missing;
  for (const PlannedSet& set : sets) {
    if (!features_cached(folder / set.name, {.checkpoint = weights, .images = set.hash})) missing.push_back(set);
  }
  const bool has_head = fs::exists(folder / "head/weight.npy");
  if (missing.empty() && has_head) return;
  const auto network = load_network(checkpoint);
  if (network->has_classifier()) write_head(folder, network->head());
  if (missing.empty()) return;
  const JobImages images(job);
  for (const ImageSet& set : images.load(missing)) {
    if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between image sets");
    log_info(fmt::format("{}: features of {} ({} images)", job.at("label").get<std::string>(), set.name, set.count));
    ensure_features(folder / set.name, {.checkpoint = weights, .images = set.hash}, *network, images.view(set));
  }
}

/// One eval cell: what it sends when it is done.
json score_cell(const json& cell, const fs::path& out, const FeatureFolder& features, const std::vector<PlannedSet>& sets) {
  const LoadedPlugin plugin = plugin_of(cell);
  PostprocessorHandle postprocessor(plugin, params_of(cell), plugin.label());
  json message{{"type", "scored"}, {"cell", cell.at("cell")}, {"seconds_fit", fit(postprocessor, features)}, {"scores", json::array()}};
  const Stopwatch watch;
  for (const PlannedSet& set : sets) {
    const at::Tensor scores = score_set(postprocessor, features, set.name);
    const fs::path file = fs::path(cell.at("folder").get<std::string>()) / "scores" / (set.name + ".npy");
    save_scores(out / file, scores);
    message["scores"].push_back(
        {{"set", set.name}, {"path", file.string()}, {"sha256", sha256_file(out / file)}, {"count", scores.size(0)}});
  }
  message["seconds_score"] = watch.seconds();
  return message;
}
}  // namespace

void eval_group(const json& job) {
  prepare_torch(job);
  const fs::path out = job.at("out").get<std::string>(), folder = out / job.at("features").get<std::string>();
  const std::vector<PlannedSet> score_sets = planned_sets(job.at("score_sets"));
  std::vector<PlannedSet> all = planned_sets(job.at("fit_sets"));
  all.insert(all.end(), score_sets.begin(), score_sets.end());
  collect_features(job, best_checkpoint(out / job.at("folder").get<std::string>()), folder, all);

  const FeatureFolder features(folder);
  for (const json& cell : job.at("cells")) {
    if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between postprocessors");
    send({{"type", "begin"}, {"cell", cell.at("cell")}});
    try {
      send(score_cell(cell, out, features, score_sets));
    } catch (const Error& error) {
      send({{"type", "failed"},
            {"cell", cell.at("cell")},
            {"state", "failed"},
            {"kind", kind_name(error.kind())},
            {"message", error.what()}});
    } catch (const std::exception& error) {
      send({{"type", "failed"}, {"cell", cell.at("cell")}, {"state", "failed"}, {"kind", "internal"}, {"message", error.what()}});
    }
  }
}

}  // namespace nearfar
