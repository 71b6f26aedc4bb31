#include "base/locations.h"
#include "cli/verbs.h"
#include "work/engine_client.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {

int import_verb(const ImportArguments& arguments) {
  namespace fs = std::filesystem;
  fs::path output = arguments.output;
  if (output.empty()) output = fs::path(arguments.file).replace_extension(".safetensors").filename();
  const wire::WeightsFacts facts = engine_import({.file = fs::absolute(arguments.file).string(),
                                                  .architecture = arguments.architecture,
                                                  .mappings = (share() / "configs/models").string(),
                                                  .height = arguments.size,
                                                  .width = arguments.size,
                                                  .channels = 3,
                                                  .output = fs::absolute(output).string()});
  if (arguments.json) {
    nlohmann::json document = wire::to_json(facts);
    document["output"] = output.string();
    fmt::print("{}\n", document.dump());
    return 0;
  }
  const std::string head = facts.head == "linear"
                               ? fmt::format("{} classes", facts.classes)
                               : fmt::format("{} head to {} values", facts.projection, facts.embedding_dim);
  fmt::print("{}: {} ({} tensors, {} values), {}; {} names not needed{}{}\n", output.string(), facts.architecture,
             facts.tensors, facts.values, head, facts.ignored.size(),
             facts.taken.empty() ? "" : "; taken: ", facts.taken);
  return 0;
}

}  // namespace nearfar
