#include "config/explain.h"

#include "base/error.h"
#include "base/text.h"
#include "config/document.h"
#include "config/experiment.h"
#include "config/overrides.h"
#include "config/recipe.h"
#include "config/sweep.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

void all_keys(const Value& table, const std::string& prefix, std::vector<std::string>& into) {
  for (const auto& [key, value] : *table.table()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    into.push_back(name);
    if (value.table() != nullptr) all_keys(value, name, into);
  }
}

}  // namespace

Explanation explain(const std::vector<std::filesystem::path>& files, const std::vector<std::string>& overrides,
                    std::string_view key) {
  const std::vector<std::string> path = key_path(key, fmt::format("'{}'", key));
  Explanation result{.key = join(path, "."), .origins = {}, .default_text = {}, .axis = {}};
  std::vector<std::string> known;
  const auto note = [&](const Value& document) {
    if (const Value* value = find_value(document, path)) result.origins.push_back({value->where, value_text(*value)});
  };
  Value document;
  for (const auto& file : files) {
    // A file is adjusted after those it extends, and merged over them: the order in which they win.
    merge_into(document, read_composed(file, [&](Value& own) {
                 normalise(own);
                 note(own);
                 all_keys(own, "", known);
               }));
  }
  for (const std::string& text : overrides) {
    const Value* before = find_value(document, path);
    const std::string was = before == nullptr ? "" : before->where;
    apply_override(document, text);
    const Value* after = find_value(document, path);
    if (after != nullptr && after->where != was) note(document);
    if (after == nullptr && before != nullptr)
      result.origins.push_back({fmt::format("override '{}'", text), "not set"});
  }
  const Experiment experiment = load_experiment(files, overrides);  // and it is one
  for (const Point& point : experiment.points) {
    for (const Factor& factor : point.settings) {
      if (factor.name != result.key && factor.name != key) continue;
      Value value;
      std::visit([&](const auto& held) { value.data = held; }, factor.value);
      if (std::find(result.axis.begin(), result.axis.end(), value_text(value)) == result.axis.end())
        result.axis.push_back(value_text(value));
    }
  }
  for (const RecipeRow& row : recipe_rows()) {
    known.push_back("train." + row.name);
    if (result.key == "train." + row.name) result.default_text = row.default_text;
  }
  if (result.origins.empty() && result.default_text.empty() && result.axis.empty()) {
    throw Error(ErrorKind::config, fmt::format("nothing sets '{}'{}", result.key, suggestion(result.key, known)));
  }
  return result;
}

}  // namespace nearfar
