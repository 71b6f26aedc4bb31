#include "config/document.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

std::string place(std::string_view file, const toml::source_region& region) {
  return fmt::format("{}:{}:{}", file, region.begin.line, region.begin.column);
}

Value convert(const toml::node& node, std::string_view file) {
  Value value;
  value.where = place(file, node.source());
  if (const auto* table = node.as_table()) {
    auto& target = value.data.emplace<Value::Table>();
    for (auto&& [key, child] : *table) {
      Value converted = convert(child, file);
      converted.key_where = place(file, key.source());
      target.emplace(std::string(key.str()), std::move(converted));
    }
  } else if (const auto* array = node.as_array()) {
    auto& target = value.data.emplace<Value::List>();
    for (const toml::node& child : *array) target.push_back(convert(child, file));
  } else if (const auto* text = node.as_string()) {
    value.data = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.data = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    value.data = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.data = boolean->get();
  } else {
    fail_at(value.where,
            "a date or time stands here; nothing in nearfar takes one: put it in quotes if it is meant as text");
  }
  return value;
}

/// The files that `extends` names, beside the file that names them.
std::vector<fs::path> take_extends(Value& document, const fs::path& file) {
  const auto found = document.table()->find("extends");
  if (found == document.table()->end()) return {};
  std::vector<std::string> names;
  Section(&document, "the top level").read("extends", names);
  document.table()->erase(found);
  std::vector<fs::path> files;
  for (const std::string& name : names) files.push_back((file.parent_path() / name).lexically_normal());
  return files;
}

Value compose(const fs::path& file, const std::function<void(Value&)>& adjust, std::vector<fs::path>& open,
              std::string_view asked_at, const fs::path& more = {}) {
  const fs::path identity = fs::weakly_canonical(file);
  if (std::find(open.begin(), open.end(), identity) != open.end()) {
    std::string chain;
    for (const fs::path& one : open) chain += one.filename().string() + " -> ";
    fail_at(asked_at, fmt::format("`extends` goes round in a circle: {}{}; remove one of these links", chain,
                                  identity.filename().string()));
  }
  std::error_code ignored;
  if (!asked_at.empty() && !fs::is_regular_file(file, ignored)) {
    fail_at(asked_at,
            fmt::format("`extends` names '{}', which is not a file; paths are relative to the file that names them",
                        file.string()));
  }
  Value document = read_toml(file);
  const Value* extends = Section(&document, "the top level").find("extends");
  const std::string where = extends ? extends->where : "";
  open.push_back(identity);
  Value composed;
  for (const fs::path& base : take_extends(document, file)) merge_into(composed, compose(base, adjust, open, where));
  if (!more.empty()) merge_into(composed, compose(more, adjust, open, ""));
  open.pop_back();
  if (adjust) adjust(document);
  merge_into(composed, std::move(document));
  return composed;
}

}  // namespace

void fail_at(std::string_view where, std::string_view message) {
  throw Error(ErrorKind::config, where.empty() ? std::string(message) : fmt::format("{}: {}", where, message));
}

std::string type_name(const Value& value) {
  constexpr std::string_view kNames[] = {"a boolean", "an integer", "a number", "text", "a list", "a table"};
  return std::string(kNames[value.data.index()]);
}

Value parse_toml(std::string_view text, std::string_view name) try {
  return convert(toml::parse(text, name), name);
} catch (const toml::parse_error& error) {
  // What toml++ read ends where the text ends; its own position is where it noticed.
  fail_at(place(name, error.source()), fmt::format("this is not valid TOML: {}", error.description()));
}

Value read_toml(const fs::path& file) { return parse_toml(read_file(file), file.string()); }

Value parse_argument(std::string_view text, std::string_view where) {
  Value value;
  value.data = std::string(text);
  try {
    const toml::table parsed = toml::parse(fmt::format("value = {}", text), where);
    const toml::node* node = parsed.get("value");
    // One key and no line break: an argument cannot smuggle in a second key.
    if (parsed.size() == 1 && text.find_first_of("\r\n") == std::string_view::npos && !node->is_date() &&
        !node->is_time() && !node->is_date_time()) {
      value = convert(*node, where);
    }
  } catch (const toml::parse_error&) {
    // Plain text, as in device=cpu.
  }
  const std::function<void(Value&)> relocate = [&](Value& one) {
    one.where = one.key_where = std::string(where);
    if (Value::Table* table = one.table()) {
      for (auto& [key, child] : *table) relocate(child);
    } else if (auto* list = std::get_if<Value::List>(&one.data)) {
      for (Value& child : *list) relocate(child);
    }
  };
  relocate(value);
  value.raw = std::string(text);
  return value;
}

const Value* find_value(const Value& document, const std::vector<std::string>& path) {
  const Value* at = &document;
  for (const std::string& part : path) {
    if (at->table() == nullptr) return nullptr;
    const auto found = at->table()->find(part);
    if (found == at->table()->end()) return nullptr;
    at = &found->second;
  }
  return at;
}

bool equal_values(const Value& one, const Value& other) {
  if (one.data.index() != other.data.index()) return false;
  if (const Value::List* list = one.list()) return std::ranges::equal(*list, *other.list(), equal_values);
  if (const Value::Table* table = one.table()) {
    return std::ranges::equal(*table, *other.table(), [](const auto& a, const auto& b) {
      return a.first == b.first && equal_values(a.second, b.second);
    });
  }
  return std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, Value::List> || std::is_same_v<T, Value::Table>) {
          return false;  // seen above
        } else {
          return held == std::get<T>(other.data);
        }
      },
      one.data);
}

void merge_into(Value& lower, Value upper) {
  Value::Table* into = lower.table();
  Value::Table* from = upper.table();
  if (!into || !from) {
    lower = std::move(upper);
    return;
  }
  for (auto& [key, value] : *from) {
    const auto [at, added] = into->try_emplace(key);
    if (added) {
      at->second = std::move(value);
    } else {
      merge_into(at->second, std::move(value));
    }
  }
  lower.where = upper.where;
  lower.key_where = upper.key_where;
}

Value read_composed(const fs::path& file, const std::function<void(Value&)>& adjust, const fs::path& more) {
  std::vector<fs::path> open;
  return compose(file, adjust, open, "", more);
}

}  // namespace nearfar
