#include "cli/verbs.h"
#include "run/child.h"
#include "run/locations.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {

int import_verb(const ImportArguments& arguments) {
  namespace fs = std::filesystem;
  fs::path output = arguments.output;
  if (output.empty()) output = fs::path(arguments.file).replace_extension(".safetensors").filename();
  const nlohmann::json job{{"file", fs::absolute(arguments.file).string()},
                           {"architecture", arguments.architecture},
                           {"mappings", (share() / "configs/models").string()},
                           {"height", arguments.size},
                           {"width", arguments.size},
                           {"channels", 3},
                           {"output", fs::absolute(output).string()}};
  auto document = nlohmann::json::parse(run_engine("import", job.dump()));
  document["output"] = output.string();
  if (arguments.json) {
    fmt::print("{}\n", document.dump());
    return 0;
  }
  const bool linear = document.at("head") == "linear";
  fmt::print("{}: {} ({} tensors, {} values), {}; {} names not needed\n", output.string(),
             document.at("architecture").get<std::string>(), document.at("tensors").dump(),
             document.at("values").dump(),
             linear ? fmt::format("{} classes", document.at("classes").dump())
                    : fmt::format("{} head to {} values", document.at("projection").get<std::string>(),
                                  document.at("embedding_dim").dump()),
             document.at("ignored").size());
  return 0;
}

}  // namespace nearfar
