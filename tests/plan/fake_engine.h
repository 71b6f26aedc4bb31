#pragma once
/// An engine that knows two losses, three postprocessors and two networks, takes every weights file for a network of
/// four classes, and answers at once.
#include "plan/catalog.h"
#include "wire/jobs.h"

#include <string>

namespace nearfar::testing {

inline PluginDescription fake_plugin(const std::string& kind, const std::string& name, std::vector<std::string> needs) {
  PluginDescription plugin;
  plugin.path = "/plugins/" + name + ".so";
  plugin.kind = kind;
  plugin.name = name;
  plugin.version = "1.0.0";
  plugin.needs = std::move(needs);
  plugin.source_hash = "source of " + name;
  plugin.binary_hash = "binary of " + name;
  if (name == "knn") plugin.params = {{"k", ParamType::integer, std::int64_t{50}, 1, 1e6, {}, "neighbours"}};
  if (name == "supcon") plugin.params = {{"temperature", ParamType::number, 0.1, 1e-4, 1e4, {}, "divides"}};
  if (kind == "loss") plugin.traits = LossTraitsText{.views = 1, .head = name == "ce" ? "linear" : "embedding"};
  return plugin;
}

/// The head of supcon becomes linear at temperature 9: traits follow from parameters.
inline wire::LossAnswer fake_traits(const wire::LossQuery& query) {
  const auto temperature = query.params.find("temperature");
  const bool linear =
      query.name == "ce" || (temperature != query.params.end() && temperature->second == ParamValue(9.0));
  return {.head = linear ? "linear" : "embedding", .views = 1, .normalized_embedding = !linear, .error = ""};
}

inline AskEngine fake_engine() {
  return [](const std::string& verb, const wire::Json& job) -> wire::Json {
    if (verb == "weights") {
      return wire::to_json(wire::WeightsFacts{.architecture = "resnet18_32x32",
                                              .classes = 4,
                                              .head = "linear",
                                              .format = "torch",
                                              .mapping = "openood-resnet"});
    }
    if (verb != "inspect") throw Error(ErrorKind::internal, "this fake is not asked for " + verb);
    wire::InspectJob asked;
    wire::read(job, asked, "inspect job");
    wire::Inspection found{.torch = "0", .architectures = {"resnet8", "resnet18_32x32"}, .with_maps = {"resnet8"}};
    for (const PluginDescription& plugin : {fake_plugin("loss", "ce", {}), fake_plugin("loss", "supcon", {}),
                                            fake_plugin("postprocessor", "msp", {"logits"}),
                                            fake_plugin("postprocessor", "knn", {"normalized-features", "train"}),
                                            fake_plugin("postprocessor", "odin", {"logits", "input-gradients"})}) {
      found.plugins.push_back(description_to_json(plugin));
    }
    for (const wire::LossQuery& query : asked.losses) found.losses.push_back(fake_traits(query));
    return wire::to_json(found);
  };
}

}  // namespace nearfar::testing
