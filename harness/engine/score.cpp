#include "base/npy.h"
#include "base/stopwatch.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/scoring.h"
#include "engine/verbs.h"
#include "features/folder.h"
#include "host/call.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
using nlohmann::json;

void score(const json& job) {
  prepare_torch(job);
  const PluginRegistry registry(plugin_search(job));
  const LoadedPlugin& plugin = registry.find(PluginKind::postprocessor, job.at("name").get<std::string>());
  const ParamMap given =
      params_from_text(plugin.params(), job.at("assignments").get<std::vector<std::string>>(), plugin.label());
  const FeatureFolder folder(job.at("features").get<std::string>());
  PostprocessorHandle postprocessor(plugin, given, plugin.label());
  const double seconds_fit = fit(postprocessor, folder);
  const Stopwatch watch;
  const at::Tensor scores = score_set(postprocessor, folder, job.at("set"));
  save_scores(job.at("output").get<std::string>(), scores.toType(at::kFloat));
  send({{"type", "result"},
        {"document",
         {{"count", scores.size(0)},
          {"seconds_fit", seconds_fit},
          {"seconds_score", watch.seconds()},
          {"params", canonical_params(postprocessor.params().values())}}}});
}

}  // namespace nearfar
