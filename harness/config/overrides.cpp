#include "config/overrides.h"

#include "base/text.h"
#include "config/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace nearfar {
namespace {

constexpr std::array<std::string_view, 8> kListKeys = {"losses", "postprocessors",        "protocols",
                                                       "seeds",  "sweep.replicates.seed", "benchmarks",
                                                       "models", "model.map_nodes"};

bool is_list_key(std::string_view key) { return std::find(kListKeys.begin(), kListKeys.end(), key) != kListKeys.end(); }

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

/// Between commas, but for those within a requirement: "ce,knn@>=1.2,<2" are two.
std::vector<std::string> elements_of(std::string_view text) {
  std::vector<std::string> elements;
  for (const std::string& part : split(text, ',')) {
    const std::string_view element = trim(part);
    const bool condition = !element.empty() && std::string_view("<>=^").find(element.front()) != std::string_view::npos;
    if (condition && !elements.empty() && elements.back().find('@') != std::string::npos) {
      elements.back() += "," + std::string(element);
    } else {
      elements.emplace_back(element);
    }
  }
  return elements;
}

Value list_argument(std::string_view text, const std::string& where) {
  Value whole = parse_argument(text, where);
  if (whole.list()) return whole;
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
    text = text.substr(1, text.size() - 2);  // losses=[ce,knn]
  Value value;
  value.where = value.key_where = where;
  auto& list = value.data.emplace<Value::List>();
  for (const std::string& element : elements_of(text)) {
    if (element.empty()) fail_at(where, "an element of this list is empty; write it as a,b,c");
    list.push_back(parse_argument(element, where));
  }
  return value;
}

/// The parts of "0.1,0.2", if there are several at the top: not within quotes or brackets.
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  char quote = '\0';
  for (const char c : text) {
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '{' || c == '(') {
      ++depth;
    } else if (c == ']' || c == '}' || c == ')') {
      --depth;
    } else if (c == ',' && depth == 0) {
      parts.emplace_back();
      continue;
    }
    parts.back() += c;
  }
  return parts;
}

/// `train.lr=0.05,0.1` or `train.epochs=range(50, 150, 50)`: what belongs into [sweep.axes]; nullopt: one value.
std::optional<Value> axis_argument(std::string_view text, const std::string& where) {
  Value axis{.data = {}, .where = where, .key_where = where, .raw = {}};
  if (text.starts_with("range(") && text.ends_with(")")) {
    const std::vector<std::string> bounds = parts_of(text.substr(6, text.size() - 7));
    if (bounds.size() != 2 && bounds.size() != 3)
      fail_at(where, "a range is range(FIRST, LAST) or range(FIRST, LAST, STEP)");
    Value range = parse_argument(fmt::format("[{}, {}]", bounds[0], bounds[1]), where);
    Value::Table& table = axis.data.emplace<Value::Table>();
    table.emplace("range", std::move(range));
    if (bounds.size() == 3) table.emplace("step", parse_argument(trim(bounds[2]), where));
    return axis;
  }
  const std::vector<std::string> parts = parts_of(text);
  if (parts.size() == 1) return std::nullopt;
  auto& values = axis.data.emplace<Value::List>();
  for (const std::string& part : parts) {
    if (trim(part).empty()) fail_at(where, "a value of this axis is empty; write it as a,b,c, or one text in quotes");
    values.push_back(parse_argument(trim(part), where));
  }
  return axis;
}

/// What the files sweep, a command line may fix: the key is no axis any more, and no point's.
void pin(Value& document, const std::string& key) {
  const auto sweep = document.table()->find("sweep");
  if (sweep == document.table()->end() || sweep->second.table() == nullptr) return;
  const auto erase_from = [&](Value& table) {
    if (table.table() == nullptr) return;
    std::erase_if(*table.table(),
                  [&](const auto& entry) { return join(key_path(entry.first, entry.second.where), ".") == key; });
    // [sweep.axes.train] lr = … is the same as "train.lr" = …
    Value* at = &table;
    const std::vector<std::string> parts = split(key, '.');
    for (std::size_t i = 0; i + 1 < parts.size() && at != nullptr; ++i) {
      const auto found = at->table()->find(parts[i]);
      at = found != at->table()->end() && found->second.table() != nullptr ? &found->second : nullptr;
    }
    if (at != nullptr) at->table()->erase(parts.back());
  };
  for (auto& [name, part] : *sweep->second.table()) {
    if (name == "axes") erase_from(part);
    auto* points = std::get_if<Value::List>(&part.data);
    if (name != "points" || points == nullptr) continue;
    for (Value& point : *points) erase_from(point);
  }
  Value::Table& tables = *sweep->second.table();
  const auto axes = tables.find("axes");
  if (axes != tables.end() && axes->second.table() != nullptr && axes->second.table()->empty() &&
      !tables.contains("points")) {
    std::erase_if(tables, [](const auto& entry) { return entry.first != "replicates"; });  // nothing is swept
  }
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

void set_key(Value& document, const std::vector<std::string>& path, Value value, const std::string& where) {
  const bool is_list = is_list_key(join(path, "."));
  holder(document, path, true, where)->insert_or_assign(path.back(), is_list ? as_list(std::move(value)) : value);
}

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
  const std::string full = join(path, ".") == "model.name" ? "models" : join(path, ".");
  if (!is_list_key(join(path, ".")) && axis_problem(full).empty()) {
    if (std::optional<Value> axis = axis_argument(text, where)) {
      pin(document, full);
      set_key(document, {"sweep", "axes", full}, std::move(*axis), where);
      return;
    }
  }
  if (!path.empty() && path[0] != "sweep") pin(document, full);
  // A checkpoint is one path, commas and all, unless it is written as a list.
  const bool bracketed = join(path, ".") == "model.checkpoint" && text.starts_with('[') && text.ends_with(']');
  const bool is_list = bracketed || is_list_key(join(path, "."));
  Value value = is_list ? list_argument(text, where) : parse_argument(text, where);
  const bool word_or_table = path.size() == 3 && path[0] == "postprocessor" && path[2] == "tune";
  if (found != table.end() && found->second.table() && !value.table() && !word_or_table) {
    fail_at(where, fmt::format("'{}' is a table; name one of its keys, like {}.KEY=value", key, key));
  }
  if (path == std::vector<std::string>{"model", "name"}) document.table()->insert_or_assign("models", as_list(value));
  table.insert_or_assign(path.back(), std::move(value));
}

}  // namespace nearfar
