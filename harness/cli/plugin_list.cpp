#include "base/text.h"
#include "cli/options_parts.h"
#include "cli/plugin_folders.h"
#include "host/choose.h"
#include "plan/catalog.h"
#include "work/engine_client.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace nearfar {
namespace {
using nlohmann::json;

struct ListPluginsArguments {
  Paths plugin_dirs;
  std::string kind;
  bool json = false;
};

/// {"plugins":[{"kind","name","version","tier","path","source_hash","binary_hash","hidden"}],
///  "refusals":[{"path","message","plugin"}]}, both in search order; `hidden` is "" for what a bare name means.
json found_plugins(const ListPluginsArguments& arguments) {
  const Catalog catalog = read_catalog(engine_asker(), plugin_folders(arguments.plugin_dirs, {}));
  PluginList list;
  for (const PluginDescription& plugin : catalog.plugins) list.push_back(&plugin);
  json plugins = json::array(), refusals = json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const PluginDescription& plugin = *list[i];
    if (!arguments.kind.empty() && plugin.kind != arguments.kind) continue;
    plugins.push_back({{"kind", plugin.kind},
                       {"name", plugin.name},
                       {"version", plugin.version},
                       {"tier", plugin.tier},
                       {"path", plugin.path},
                       {"source_hash", plugin.source_hash},
                       {"binary_hash", plugin.binary_hash},
                       {"hidden", hidden_by(list, i)}});
  }
  for (const wire::Refusal& refusal : catalog.refusals) refusals.push_back(wire::to_json(refusal));
  return {{"plugins", std::move(plugins)}, {"refusals", std::move(refusals)}};
}

int plugin_list_verb(const ListPluginsArguments& arguments) {
  const json found = found_plugins(arguments);
  if (arguments.json) {
    fmt::print("{}\n", found.dump(2, ' ', false, json::error_handler_t::replace));
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"name", "kind", "version", "tier", "path"}};
  std::string hidden, refused;
  for (const json& plugin : found.at("plugins")) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const std::string& column : rows.front()) row.push_back(plugin.at(column).get<std::string>());
    const std::string why = plugin.at("hidden");
    if (why.empty()) continue;
    row.front() = "(" + row.front() + ")";
    hidden += fmt::format("({}) {} {}: {}\n", plugin.at("name").get<std::string>(),
                          plugin.at("version").get<std::string>(), plugin.at("path").get<std::string>(), why);
  }
  for (const json& refusal : found.at("refusals"))
    refused += fmt::format("refused: {}\n", refusal.at("message").get<std::string>());
  fmt::print("{}{}{}", table(rows, std::vector<bool>(rows.front().size(), false)), hidden.empty() ? "" : "\n" + hidden,
             refused.empty() ? "" : "\n" + refused);
  return 0;
}

}  // namespace

Action declare_plugin_list(CLI::App& verb) {
  const auto arguments = std::make_shared<ListPluginsArguments>();
  add_json(verb, arguments->json);
  add_plugin_dirs(verb, arguments->plugin_dirs);
  verb.add_option("--kind", arguments->kind, "only these: postprocessor or loss")
      ->check(CLI::IsMember({"postprocessor", "loss"}));
  return [arguments] { return plugin_list_verb(*arguments); };
}

}  // namespace nearfar
