#include "base/locations.h"
#include "base/text.h"
#include "cli/options_parts.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <memory>

namespace nearfar {
namespace {
using nlohmann::json;
namespace fs = std::filesystem;

struct PathArguments {
  Paths plugin_dirs;
  bool json = false;
};

json folder(const fs::path& path, const char* from) {
  std::error_code failure;
  return {{"path", fs::absolute(path).string()}, {"from", from}, {"exists", fs::is_directory(path, failure)}};
}

/// In the order of PluginSearch (host/plugin.h).
json folders(const Paths& plugin_dirs) {
  json rows = json::array();
  for (const fs::path& path : plugin_dirs) rows.push_back(folder(path, "--plugin-dir"));
  const char* environment = std::getenv("NEARFAR_PLUGIN_PATH");
  for (const std::string& part : split(environment != nullptr ? environment : "", ':')) {
    if (!part.empty()) rows.push_back(folder(part, "NEARFAR_PLUGIN_PATH"));
  }
  rows.push_back(folder(installed_plugins(), "installation"));
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
