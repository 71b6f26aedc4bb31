#include "plan/postprocessors.h"

#include "base/error.h"
#include "plan/identity.h"
#include "plan/search.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

/// Parameters and what is searched: a parameter is given or searched, not both.
SearchPlan fill_params(const PluginDescription& plugin, const PostprocessorChoice& choice, PostprocessorPlan& plan) {
  const std::string at = param_place(choice.where, choice.param_where, "postprocessor", choice.name);
  plan.params = validate(plugin.params, choice.params, at).values();
  SearchPlan search = plan_search(plugin, choice);
  for (const ParamGrid::Axis& axis : search.grid.axes) {
    if (choice.params.contains(axis.name)) {
      throw Error(ErrorKind::config,
                  fmt::format("{}: '{}' is both given and searched ({}); keep one", at, axis.name, choice.tune.where));
    }
    plan.params.erase(axis.name);
  }
  plan.grid = search.grid;
  return search;
}

/// What a leaderboard shows: parameters other than the default, files by name and contents, and what was searched.
ParamMap shown_params(const PluginDescription& plugin, const PostprocessorPlan& plan, const SearchPlan& search) {
  ParamMap shown = non_default_params(plugin.params, plan.params);
  // A file by its name and contents: the same row wherever it lay.
  for (const auto& [name, hash] : named_files(plugin.params, shown)) {
    const std::filesystem::path file = std::get<std::string>(shown.at(name));
    shown[name] = fmt::format("{}@{}", file.filename().string(), hash.substr(0, 8));
  }
  if (!plan.grid.empty()) shown.emplace("tune", search.text);
  return shown;
}

/// Every parameter, those at their default marked; a file by its name and contents, a search by its text.
std::vector<Factor> factors_of(const PluginDescription& plugin, const PostprocessorPlan& plan, const ParamMap& shown) {
  std::vector<Factor> factors{{"postprocessor", plugin.name}};
  for (const auto& [name, value] : plan.params) {
    const auto found = shown.find(name);
    factors.push_back({"postprocessor." + name, found != shown.end() ? found->second : value, found == shown.end()});
  }
  if (!plan.grid.empty()) factors.push_back({"postprocessor.tune", shown.at("tune")});
  std::sort(factors.begin(), factors.end(), [](const Factor& a, const Factor& b) { return a.name < b.name; });
  return factors;
}

}  // namespace

std::string param_place(const std::string& where, const ParamWhere& params, std::string_view kind,
                        std::string_view name) {
  return fmt::format("{}: {} '{}'", params.empty() ? where : params.begin()->second, kind, name);
}

std::vector<PostprocessorPlan> plan_postprocessors(const std::vector<PostprocessorChoice>& choices,
                                                   const Catalog& catalog) {
  std::vector<PostprocessorPlan> plans;
  for (const PostprocessorChoice& choice : choices) {
    PostprocessorPlan plan;
    plan.plugin = catalog.find("postprocessor", choice.wanted(), choice.where);
    const PluginDescription& plugin = catalog.plugins[plan.plugin];
    const SearchPlan search = fill_params(plugin, choice, plan);
    const ParamMap shown = shown_params(plugin, plan, search);
    plan.shown = canonical_params(shown);
    plan.factors = factors_of(plugin, plan, shown);
    const std::string grid = plan.grid.empty() ? "" : json_text(grid_text(plan.grid));
    plan.identity = json_object({{"plugin", plugin_part(plugin, plan.params)}, {"grid", grid}});
    plans.push_back(std::move(plan));
  }
  return plans;
}

std::vector<std::string> fit_sets(const PluginDescription& plugin, const ParamGrid& grid) {
  std::vector<std::string> sets;
  if (plugin.needs_one("train")) sets.emplace_back("train");
  if (plugin.needs_one("validation") || !grid.empty()) sets.emplace_back("val");
  if (!grid.empty()) sets.emplace_back("ood_val");
  return sets;
}

}  // namespace nearfar
