#include "cli/options_parts.h"
#include "cli/plugin_folders.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace nearfar {
namespace {
using nlohmann::json;
namespace fs = std::filesystem;

struct PathArguments {
  Paths plugin_dirs;
  bool json = false;
};

json folders(const Paths& plugin_dirs) {
  json rows = json::array();
  for (const PluginFolder& folder : search_path(plugin_dirs, {})) {
    std::error_code failure;
    rows.push_back(
        {{"path", folder.path.string()}, {"from", folder.from}, {"exists", fs::is_directory(folder.path, failure)}});
  }
  return rows;
}

int plugin_path_verb(const PathArguments& arguments) {
  const json rows = folders(arguments.plugin_dirs);
  if (arguments.json) {
    fmt::print("{}\n", rows.dump(2));
    return 0;
  }
  for (const json& row : rows) {
    fmt::print("{}  ({}{})\n", row.at("path").get<std::string>(), row.at("from").get<std::string>(),
               row.at("exists").get<bool>() ? "" : ", does not exist");
  }
  return 0;
}

}  // namespace

Action declare_plugin_path(CLI::App& verb) {
  const auto arguments = std::make_shared<PathArguments>();
  add_json(verb, arguments->json);
  add_plugin_dirs(verb, arguments->plugin_dirs);
  return [arguments] { return plugin_path_verb(*arguments); };
}

}  // namespace nearfar
