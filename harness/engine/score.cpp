#include "base/stopwatch.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/scoring.h"
#include "engine/verbs.h"
#include "features/folder.h"
#include "host/call.h"
#include "wire/facts.h"

namespace nearfar {

void score(const wire::ScoreJob& job) {
  const at::Device device = prepare_torch(job.compute);
  const PluginRegistry registry(plugin_search(job.directories, job.installed));
  const LoadedPlugin& plugin = registry.find(PluginKind::postprocessor, job.name);
  const ParamMap given = params_from_text(plugin.params(), job.assignments, plugin.label());
  const FeatureFolder folder(job.features);
  PostprocessorHandle postprocessor(plugin, given, plugin.label());
  wire::ScoreFacts facts;
  facts.seconds_fit = fit(postprocessor, folder, device);
  const Stopwatch watch;
  const at::Tensor scores = score_set(postprocessor, folder, job.set, device);
  save_scores(job.output, scores.toType(at::kFloat));
  facts.count = scores.size(0);
  facts.seconds_score = watch.seconds();
  facts.params = canonical_params(postprocessor.params().values());
  send_result(facts);
}

}  // namespace nearfar
