#include "models/mapping.h"

#include "base/error.h"
#include "config/document.h"
#include "models/network.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

/// Each table of the list under `key`, read by `read`.
template <class Read>
void read_tables(Section& section, const char* key, const Read& read) {
  const Value* value = section.find(key);
  if (!value) return;
  if (!value->list())
    fail_at(value->where, fmt::format("{} is {}, expected [[{}]] tables", key, type_name(*value), key));
  for (const Value& one : *value->list()) {
    if (!one.table()) fail_at(one.where, fmt::format("{} holds {}, expected [[{}]] tables", key, type_name(one), key));
    Section table(&one, fmt::format("[[{}]]", key));
    read(table, one);
    table.finish();
  }
}

void require(Section& section, const Value& table, const char* key, std::string& target) {
  if (!section.read(key, target)) fail_at(table.where, fmt::format("{} without '{}'", section.name(), key));
}

Mapping read_mapping(const std::filesystem::path& file) {
  const Value document = read_toml(file);
  Section top(&document, "the top level");
  Mapping mapping;
  mapping.name = file.stem().string();
  top.read("summary", mapping.summary);
  top.read("architectures", mapping.architectures);
  top.read("strip", mapping.strip);
  top.read("ignore", mapping.ignore);
  top.read("optional", mapping.optional);
  read_tables(top, "rename", [&](Section& section, const Value& table) {
    Mapping::Rename rule;
    require(section, table, "from", rule.from);
    require(section, table, "to", rule.to);
    if (std::count(rule.from.begin(), rule.from.end(), '*') != std::count(rule.to.begin(), rule.to.end(), '*')) {
      fail_at(table.where, fmt::format("'{}' and '{}' have different numbers of *", rule.from, rule.to));
    }
    mapping.rename.push_back(rule);
  });
  read_tables(top, "head", [&](Section& section, const Value& table) {
    Mapping::Head head;
    require(section, table, "tensor", head.tensor);
    if (!section.read("kind", head.kind, {"linear", "embedding"})) fail_at(table.where, "[[head]] without 'kind'");
    section.read("projection", head.projection, {"linear", "mlp"});
    if ((head.kind == "embedding") == head.projection.empty())
      fail_at(table.where, "'projection' belongs to kind \"embedding\"");
    mapping.head.push_back(head);
  });
  read_tables(top, "refuse", [&](Section& section, const Value& table) {
    Mapping::Refusal refusal;
    require(section, table, "name", refusal.name);
    require(section, table, "reason", refusal.reason);
    mapping.refuse.push_back(refusal);
  });
  top.finish();
  if (mapping.architectures.empty()) fail_at(file.string(), "a mapping names at least one of 'architectures'");
  if (mapping.head.empty()) fail_at(file.string(), "a mapping has at least one [[head]]");
  for (const std::string& architecture : mapping.architectures) {
    try {
      native_image_size(architecture);
    } catch (const Error& error) {
      fail_at(top.where("architectures"), error.what());
    }
  }
  return mapping;
}

bool match_rest(std::string_view pattern, std::string_view text, std::vector<std::string_view>& runs) {
  const std::size_t literal = pattern.find('*');
  if (literal == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, literal))) return false;
  text.remove_prefix(literal);
  pattern.remove_prefix(literal + 1);
  for (std::size_t size = 0; size <= text.size(); ++size) {
    runs.push_back(text.substr(0, size));
    if (match_rest(pattern, text.substr(size), runs)) return true;
    runs.pop_back();
  }
  return false;
}

}  // namespace

std::vector<Mapping> read_mappings(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  }
  if (error)
    throw Error(ErrorKind::config,
                fmt::format("{}: key mappings cannot be read: {}", folder.string(), error.message()));
  if (files.empty())
    throw Error(ErrorKind::config, fmt::format("{}: no key mapping (*.toml) in this folder", folder.string()));
  std::sort(files.begin(), files.end());
  std::vector<Mapping> mappings;
  for (const std::filesystem::path& file : files) mappings.push_back(read_mapping(file));
  return mappings;
}

std::optional<std::vector<std::string_view>> match_pattern(std::string_view pattern, std::string_view text) {
  std::vector<std::string_view> runs;
  return match_rest(pattern, text, runs) ? std::optional(runs) : std::nullopt;
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& one) { return match_pattern(one, text).has_value(); });
}

std::optional<std::string> renamed(const Mapping& mapping, std::string_view name) {
  for (const Mapping::Rename& rule : mapping.rename) {
    const auto runs = match_pattern(rule.from, name);
    if (!runs) continue;
    std::string result;
    std::size_t next = 0;
    for (const char c : rule.to) {
      if (c == '*') {
        result += (*runs)[next++];
      } else {
        result += c;
      }
    }
    return result;
  }
  return std::nullopt;
}

}  // namespace nearfar
