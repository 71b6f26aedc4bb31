#include "engine/job.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "host/plugin.h"
#include "models/network.h"

#include <nlohmann/json.hpp>

namespace nearfar {
using nlohmann::json;

void inspect(const json& job) {
  const PluginRegistry registry(plugin_search(job));
  json document{{"torch", NEARFAR_TORCH_VERSION},
                {"plugins", json::array()},
                {"refusals", json::array()},
                {"with_maps", json::array()}};
  for (const auto& refusal : registry.refusals())
    document["refusals"].push_back({{"path", refusal.path.string()}, {"message", refusal.message}});
  for (const LoadedPlugin& plugin : registry.plugins()) {
    try {
      document["plugins"].push_back(json::parse(describe_json(plugin)));
    } catch (const Error& error) {
      document["refusals"].push_back({{"path", plugin.description().path}, {"message", error.what()}});
    }
  }
  for (const std::string& name : architectures()) {
    if (architecture_stages(name) > 0) document["with_maps"].push_back(name);
  }
  send({{"type", "result"}, {"document", document}});
}

}  // namespace nearfar
