#include "config/overrides.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nearfar {
namespace {

constexpr std::array<std::string_view, 8> kListKeys = {"losses", "postprocessors",        "protocols",
                                                       "seeds",  "sweep.replicates.seed", "benchmarks",
                                                       "models", "model.map_nodes"};

bool is_plugin_section(std::string_view name) { return name == "loss" || name == "postprocessor"; }

/// `seeds` is short for sweep.replicates.seed; from here on there is one spelling.
void move_seeds(Value& document) {
  auto seeds = document.table()->extract("seeds");
  if (seeds.empty()) return;
  Value* at = &document;
  for (const char* name : {"sweep", "replicates"}) {
    Value& child = at->table()->try_emplace(name).first->second;
    if (!child.table())
      return void(document.table()->insert(std::move(seeds)));  // the typed reader says what is wrong with [sweep]
    at = &child;
  }
  if (at->table()->contains("seed")) {
    fail_at(seeds.mapped().key_where,
            "'seeds' is short for 'seed' in [sweep.replicates], and this file has both; keep one");
  }
  at->table()->emplace("seed", std::move(seeds.mapped()));
}

/// A value as the only element of a list; a list stays as it is.
Value as_list(Value value) {
  if (value.list()) return value;
  Value list{.data = {}, .where = value.where, .key_where = value.key_where, .raw = {}};
  list.data.emplace<Value::List>().push_back(std::move(value));
  return list;
}

/// `benchmark` is short for `benchmarks`; from here on there is one spelling, so that a later file's wins whichever it
/// uses.
void move_benchmark(Value& document) {
  auto one = document.table()->extract("benchmark");
  if (one.empty()) return;
  if (document.table()->contains("benchmarks")) {
    fail_at(one.mapped().key_where, "'benchmark' is short for 'benchmarks', and this file has both; keep one");
  }
  document.table()->emplace("benchmarks", as_list(std::move(one.mapped())));
}

/// `model.name` of a network that is trained is short for `models`. It stays where it is too: beside `model.checkpoint`
/// it names the network of those weights.
void copy_model_name(Value& document) {
  const auto model = document.table()->find("model");
  if (model == document.table()->end() || !model->second.table()) return;
  const Value::Table& table = *model->second.table();
  const auto name = table.find("name");
  const auto made_elsewhere = [&](const char* key) { return table.contains(key); };
  constexpr std::array kSources = {"checkpoint", "features", "file", "torchscript"};
  if (name == table.end() || std::any_of(kSources.begin(), kSources.end(), made_elsewhere)) return;
  if (document.table()->contains("models")) {
    fail_at(name->second.key_where, "'model.name' is short for 'models', and this file has both; keep one");
  }
  document.table()->emplace("models", as_list(name->second));
}

void rename_plugins(Value& document, std::string_view section) {
  const auto found = document.table()->find(section);
  if (found == document.table()->end() || !found->second.table()) return;
  Value::Table renamed;
  for (auto& [name, value] : *found->second.table()) {
    const auto [at, added] = renamed.emplace(plugin_key(name), std::move(value));
    if (!added)
      fail_at(value.key_where,
              fmt::format("[{}.{}] is written twice, with '-' and with '_'; keep one", section, at->first));
  }
  *found->second.table() = std::move(renamed);
}

std::vector<std::string> key_path(std::string_view key, std::string_view where) {
  std::vector<std::string> path = split(key, '.');
  const bool empty_part = std::any_of(path.begin(), path.end(), [](const std::string& part) { return part.empty(); });
  if (path.empty() || empty_part)
    fail_at(where, "an override is key=value, +key=value or ~key, with a key like train.lr");
  if (path.size() > 1 && is_plugin_section(path[0])) path[1] = plugin_key(path[1]);
  if (path.size() == 1 && path[0] == "seeds") path = {"sweep", "replicates", "seed"};
  if (path.size() == 1 && path[0] == "benchmark") path = {"benchmarks"};
  return path;
}

/// The table that holds the last part of the path; made where it is missing and `make` says so, else nullptr.
Value::Table* holder(Value& document, const std::vector<std::string>& path, bool make, const std::string& where) {
  Value* at = &document;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    Value::Table& table = *at->table();
    auto found = table.find(path[i]);
    if (found == table.end()) {
      if (!make) return nullptr;
      found = table.emplace(path[i], Value{}).first;
      found->second.where = found->second.key_where = where;
    }
    at = &found->second;
    if (!at->table())
      fail_at(where,
              fmt::format("'{}' is {} at {}, so it has no key '{}'", path[i], type_name(*at), at->where, path[i + 1]));
  }
  return at->table();
}

Value list_argument(std::string_view text, const std::string& where) {
  Value whole = parse_argument(text, where);
  if (whole.list()) return whole;
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
    text = text.substr(1, text.size() - 2);  // losses=[ce,knn]
  Value value;
  value.where = value.key_where = where;
  auto& list = value.data.emplace<Value::List>();
  for (const std::string& part : split(text, ',')) {
    const std::string_view element = trim(part);
    if (element.empty()) fail_at(where, "an element of this list is empty; write it as a,b,c");
    list.push_back(parse_argument(element, where));
  }
  return value;
}

void remove_key(Value& document, std::string_view key, const std::string& where) {
  const std::vector<std::string> path = key_path(key, where);
  Value::Table* table = holder(document, path, false, where);
  if (table && table->erase(path.back()) == 1) return;
  std::vector<std::string> names;
  if (table) {
    for (const auto& [name, value] : *table) names.push_back(name);
  }
  fail_at(where, fmt::format("there is no '{}' to remove{}", key, suggestion(path.back(), names)));
}

}  // namespace

void normalise(Value& document) {
  move_seeds(document);
  move_benchmark(document);
  copy_model_name(document);
  rename_plugins(document, "loss");
  rename_plugins(document, "postprocessor");
}

void apply_override(Value& document, std::string_view argument) {
  const std::string where = fmt::format("override '{}'", argument);
  const std::size_t equals = argument.find('=');
  if (argument.starts_with('~')) {
    if (equals != std::string_view::npos) fail_at(where, "~key takes no value");
    return remove_key(document, argument.substr(1), where);
  }
  const bool add = argument.starts_with('+');
  if (add) argument.remove_prefix(1);
  if (equals == std::string_view::npos) fail_at(where, "an override is key=value, +key=value or ~key");
  const std::string_view key = trim(argument.substr(0, argument.find('=')));
  const std::string_view text = trim(argument.substr(argument.find('=') + 1));
  const std::vector<std::string> path = key_path(key, where);
  Value::Table& table = *holder(document, path, true, where);
  const auto found = table.find(path.back());
  if (add && found != table.end()) {
    fail_at(where, fmt::format("'{}' is already set at {}; leave out the '+' to change it", key, found->second.where));
  }
  // A checkpoint is one path, commas and all, unless it is written as a list.
  const bool bracketed = join(path, ".") == "model.checkpoint" && text.starts_with('[') && text.ends_with(']');
  const bool is_list = bracketed || std::find(kListKeys.begin(), kListKeys.end(), join(path, ".")) != kListKeys.end();
  Value value = is_list ? list_argument(text, where) : parse_argument(text, where);
  if (found != table.end() && found->second.table() && !value.table()) {
    fail_at(where, fmt::format("'{}' is a table; name one of its keys, like {}.KEY=value", key, key));
  }
  if (path == std::vector<std::string>{"model", "name"}) document.table()->insert_or_assign("models", as_list(value));
  table.insert_or_assign(path.back(), std::move(value));
}

}  // namespace nearfar
