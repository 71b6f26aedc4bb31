#include "base/error.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "host/plugin.h"
#include "models/network.h"
#include "wire/facts.h"

namespace nearfar {
namespace {

wire::LossAnswer answer(const PluginRegistry& registry, const wire::LossQuery& query) {
  wire::LossAnswer answer;
  try {
    const LoadedPlugin& plugin = registry.find(PluginKind::loss, query.name);
    const LossTraitsText traits = traits_of(plugin, query.params);
    answer.head = traits.head;
    answer.views = traits.views;
    answer.normalized_embedding = traits.normalized_embedding;
  } catch (const Error& error) {
    answer.error = error.what();
  }
  return answer;
}

}  // namespace

void inspect(const wire::InspectJob& job) {
  const PluginRegistry registry(plugin_search(job.directories, job.installed));
  wire::Inspection found{.torch = NEARFAR_TORCH_VERSION};
  for (const auto& refusal : registry.refusals())
    found.refusals.push_back({refusal.path.string(), refusal.message, refusal.plugin});
  for (const LoadedPlugin& plugin : registry.plugins()) {
    try {
      found.plugins.push_back(description_to_json(describe(plugin)));
    } catch (const Error& error) {
      found.refusals.push_back(
          {plugin.description().path, error.what(), plugin.description().kind + " " + plugin.name()});
    }
  }
  found.architectures = architectures();
  for (const std::string& name : found.architectures) {
    if (architecture_stages(name) > 0) found.with_maps.push_back(name);
  }
  for (const wire::LossQuery& query : job.losses) found.losses.push_back(answer(registry, query));
  send_result(found);
}

}  // namespace nearfar
