#include "config/profile.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <functional>
#include <set>

namespace nearfar {
namespace {

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string key_text(const std::string& key) {
  const auto bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !key.empty() && std::all_of(key.begin(), key.end(), bare) ? key : quoted(key);
}

std::string number(double value) {
  std::string text = number_text(value);
  // TOML tells numbers from integers by the point or the exponent.
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

/// A value on one line.
std::string inline_text(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value.data)) return number(*real);
  if (const auto* text = std::get_if<std::string>(&value.data)) return quoted(*text);
  std::vector<std::string> parts;
  if (const Value::List* list = value.list()) {
    for (const Value& element : *list) parts.push_back(inline_text(element));
    return "[" + join(parts, ", ") + "]";
  }
  for (const auto& [key, element] : *value.table()) parts.push_back(key_text(key) + " = " + inline_text(element));
  return "{" + join(parts, ", ") + "}";
}

void write_table(std::string& text, const Value& table, const std::string& name) {
  if (!name.empty()) text += fmt::format("\n[{}]\n", name);
  for (const auto& [key, value] : *table.table()) {
    if (!value.table()) text += key_text(key) + " = " + inline_text(value) + "\n";
  }
  for (const auto& [key, value] : *table.table()) {
    if (value.table()) write_table(text, value, name.empty() ? key_text(key) : name + "." + key_text(key));
  }
}

/// model.checkpoint may be a list of paths.
bool is_path_list(const std::string& key, const Value& value) {
  const Value::List* list = value.list();
  return key == "checkpoint" && list != nullptr && std::all_of(list->begin(), list->end(), [](const Value& one) {
           return std::holds_alternative<std::string>(one.data);
         });
}

/// Calls `visit` with the name, table and key of everything in the document that may be a path, and whether it
/// certainly is one.
void visit_paths(Value& document,
                 const std::function<void(const std::string&, Value::Table&, const std::string&, bool)>& visit) {
  const auto at = [&](Value::Table& table, const std::string& prefix, const std::string& key, bool certain) {
    const auto found = table.find(key);
    if (found != table.end() &&
        (std::holds_alternative<std::string>(found->second.data) || is_path_list(key, found->second)))
      visit(prefix + key, table, key, certain);
  };
  Value::Table& top = *document.table();
  at(top, "", "out", true);
  if (const auto data = top.find("data"); data != top.end() && data->second.table()) {
    for (const char* key : {"root", "packed"}) at(*data->second.table(), "data.", key, true);
  }
  if (const auto model = top.find("model"); model != top.end()) {
    const auto of_table = [&](Value& value, const std::string& prefix) {
      for (const char* key : {"checkpoint", "features", "file", "torchscript"}) {
        if (value.table()) at(*value.table(), prefix, key, true);
      }
    };
    of_table(model->second, "model.");
    if (auto* list = std::get_if<Value::List>(&model->second.data)) {
      for (std::size_t i = 0; i < list->size(); ++i) of_table((*list)[i], fmt::format("model.{}.", i));
    }
  }
  for (const char* kind : {"loss", "postprocessor"}) {
    const auto sections = top.find(kind);
    if (sections == top.end() || !sections->second.table()) continue;
    for (auto& [name, section] : *sections->second.table()) {
      if (!section.table()) continue;
      std::vector<std::string> keys;
      for (const auto& [key, value] : *section.table()) keys.push_back(key);
      for (const std::string& key : keys) at(*section.table(), fmt::format("{}.{}.", kind, name), key, false);
    }
  }
}

Value text_value(std::string text) {
  Value value;
  value.data = std::move(text);
  return value;
}

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

/// Benchmarks named by a file: bare name → path.
void take_benchmarks(Value& document, Value::Table& paths) {
  const auto found = document.table()->find("benchmarks");
  auto* list = found == document.table()->end() ? nullptr : std::get_if<Value::List>(&found->second.data);
  if (list == nullptr) return;
  for (Value& element : *list) {
    const auto* name = std::get_if<std::string>(&element.data);
    if (name == nullptr || !name->ends_with(".toml")) continue;
    const std::string bare = std::filesystem::path(*name).stem().string();
    paths.insert_or_assign("benchmarks." + bare, text_value(absolute(*name)));
    element.data = bare;
  }
}

}  // namespace

std::string toml_text(const Value& document) {
  std::string text;
  write_table(text, document, "");
  return text;
}

Value take_paths(Value& document) {
  Value result;
  Value::Table& paths = *result.table()->emplace("paths", Value{}).first->second.table();
  visit_paths(document, [&](const std::string& name, Value::Table& table, const std::string& key, bool certain) {
    Value& value = table.at(key);
    if (auto* list = std::get_if<Value::List>(&value.data)) {
      for (Value& one : *list) one = text_value(absolute(std::get<std::string>(one.data)));
      paths.insert_or_assign(name, std::move(value));
      table.erase(key);
      return;
    }
    const std::string path = std::get<std::string>(value.data);
    if (path.empty() || (!certain && path.find('/') == std::string::npos)) return;
    paths.insert_or_assign(name, text_value(absolute(path)));
    table.erase(key);
  });
  take_benchmarks(document, paths);
  return result;
}

void put_paths(Value& document, const Value& paths) {
  const auto found = paths.table()->find("paths");
  if (found == paths.table()->end() || !found->second.table()) return;
  for (const auto& [name, path] : *found->second.table()) {
    const std::vector<std::string> parts = split(name, '.');
    if (parts.front() == "benchmarks") {
      const auto benchmarks = document.table()->find("benchmarks");
      auto* list = benchmarks == document.table()->end() ? nullptr : std::get_if<Value::List>(&benchmarks->second.data);
      for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        const auto* bare = std::get_if<std::string>(&(*list)[i].data);
        if (bare != nullptr && "benchmarks." + *bare == name) (*list)[i].data = path.data;
      }
      continue;
    }
    Value* at = &document;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      if (auto* list = std::get_if<Value::List>(&at->data)) {
        std::size_t index = list->size();
        std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), index);
        if (index >= list->size())
          fail_at(path.where, fmt::format("'{}' names no model of the stored experiment", name));
        at = &(*list)[index];
      } else {
        at = &at->table()->try_emplace(parts[i]).first->second;
      }
      if (!at->table() && !at->list()) fail_at(path.where, fmt::format("'{}' is no place for a path", name));
    }
    if (at->table()) at->table()->insert_or_assign(parts.back(), path);
  }
}

namespace {

std::string path_text(const Value& value, const std::filesystem::path& folder, const std::string& title) {
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr || text->empty())
    fail_at(value.where, fmt::format("'{}' is a path, found {}", title, text ? "no text" : type_name(value)));
  return (folder / *text).lexically_normal().string();
}

/// A path, or for checkpoints a list of them.
Value absolute_value(const Value& value, const std::filesystem::path& folder, const std::string& title) {
  const Value::List* list = value.list();
  Value result;
  result.where = value.where;
  if (list == nullptr) {
    result.data = path_text(value, folder, title);
  } else {
    auto& paths = result.data.emplace<Value::List>();
    for (const Value& one : *list) paths.push_back(text_value(path_text(one, folder, title)));
  }
  return result;
}

/// What a profile may name though the stored one has no such entry: keys that every experiment has.
constexpr std::array<std::string_view, 3> kGeneral{"data.packed", "data.root", "out"};

void overlay_paths(Value::Table& paths, const Value& given, const std::filesystem::path& folder) {
  std::set<std::string> all(kGeneral.begin(), kGeneral.end());
  for (const auto& [name, value] : paths) all.insert(name);
  const std::vector<std::string> known(all.begin(), all.end());
  for (const auto& [name, value] : *given.table()) {
    if (value.table())
      fail_at(value.where, fmt::format("'{0}' in [paths] is a table; write the whole name in quotes, like "
                                       "\"{0}.root\" = \"DIR\"",
                                       name));
    if (!all.contains(name)) {
      fail_at(value.where, fmt::format("the stored experiment has no path '{}'{}; it has: {}", name,
                                       suggestion(name, known), join(known, ", ")));
    }
    paths.insert_or_assign(name, absolute_value(value, folder, name));
  }
}

}  // namespace

std::string profile_with(std::string_view stored, const std::filesystem::path& file) {
  Value profile = parse_toml(stored, "the stored paths");
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  const Value given = read_toml(file);
  for (const auto& [section, value] : *given.table()) {
    if ((section != "paths" && section != "plugins") || !value.table())
      fail_at(value.where, fmt::format("'{}' is no section of a profile; it has [paths] and [plugins]", section));
    Value::Table& mine = *profile.table()->try_emplace(section).first->second.table();
    if (section == "paths") {
      overlay_paths(mine, value, folder);
      continue;
    }
    for (const auto& [key, directories] : *value.table()) {
      if (key != "directories" || !directories.list())
        fail_at(directories.where, "[plugins] has one entry, a list: directories = [\"DIR\"]");
      mine.insert_or_assign(key, absolute_value(directories, folder, key));
    }
  }
  return toml_text(profile);
}

std::vector<std::filesystem::path> profile_plugin_folders(std::string_view stored) {
  const Value profile = parse_toml(stored, "the stored paths");
  std::vector<std::filesystem::path> folders;
  const auto plugins = profile.table()->find("plugins");
  if (plugins == profile.table()->end() || !plugins->second.table()) return folders;
  const auto list = plugins->second.table()->find("directories");
  if (list == plugins->second.table()->end() || !list->second.list()) return folders;
  for (const Value& folder : *list->second.list()) {
    if (const auto* text = std::get_if<std::string>(&folder.data)) folders.emplace_back(*text);
  }
  return folders;
}

}  // namespace nearfar
