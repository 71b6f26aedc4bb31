#include "cli/reproduce.h"

#include "base/text.h"
#include "config/document.h"
#include "config/profile.h"
#include "launch/worker_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace nearfar {
namespace {

/// A value as an override has it: TOML on one line, bare where it is plain text.
std::string value_text(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.data)) {
    // Read back as text: neither a number nor a date, nor anything with quotes.
    const bool plain = !text->empty() &&
                       std::all_of(text->begin(), text->end(),
                                   [](char c) {
                                     return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
                                            c == '/' || c == '.';
                                   }) &&
                       *text != "true" && *text != "false" && *text != "inf" && *text != "nan";
    if (plain) return *text;
  }
  Value line;
  Value list;
  list.data.emplace<Value::List>().push_back(value);  // within a list everything is inline
  line.table()->emplace("v", std::move(list));
  const std::string written = toml_text(line);  // "v = [...]" and a line's end
  return std::string(trim(std::string_view(written).substr(5, written.size() - 7)));
}

/// a.b.c=value for every value; a table is given whole where a key of it has a dot of its own.
void add_overrides(const Value::Table& table, const std::string& prefix, std::vector<std::string>& words) {
  for (const auto& [key, value] : table) {
    const std::string name = prefix + key;
    const Value::Table* inner = value.table();
    const bool dotted = inner != nullptr && std::any_of(inner->begin(), inner->end(), [](const auto& entry) {
                          return entry.first.find('.') != std::string::npos;
                        });
    if (inner != nullptr && !dotted) {
      add_overrides(*inner, name + ".", words);
    } else {
      words.push_back(name + "=" + value_text(value));
    }
  }
}

Value list_of(const std::string& text) {
  Value element, list;
  element.data = text;
  list.data.emplace<Value::List>().push_back(std::move(element));
  return list;
}

/// Of a section like [loss.NAME], only that name.
void keep_only(Value::Table& top, const char* section, const std::string& name) {
  const auto found = top.find(section);
  if (found == top.end() || !found->second.table()) return;
  std::erase_if(*found->second.table(), [&](const auto& entry) { return entry.first != name; });
}

/// What the cell has nothing to do with is left out, where that is sure to change nothing: the line is shorter, and
/// nothing else is planned.
void reduce(Value::Table& top, const CellRecord& cell, bool trained) {
  const auto sweep = top.find("sweep");
  const bool sweeps = sweep != top.end() && sweep->second.table() &&
                      std::any_of(sweep->second.table()->begin(), sweep->second.table()->end(),
                                  [](const auto& entry) { return entry.first != "replicates"; });
  if (sweeps) return;
  if (cell.kind == CellKind::eval) {
    top.insert_or_assign("postprocessors", list_of(cell.postprocessor));
    keep_only(top, "postprocessor", cell.postprocessor);
  }
  if (!trained) return;
  top.insert_or_assign("losses", list_of(cell.training));
  keep_only(top, "loss", cell.training);
  if (sweep == top.end()) return;
  Value seeds;
  Value& seed = seeds.data.emplace<Value::List>().emplace_back();
  seed.data = cell.seed;
  Value replicates;
  replicates.table()->emplace("seed", std::move(seeds));
  sweep->second.table()->insert_or_assign("replicates", std::move(replicates));
}

/// --plugin-dir of a stored profile, and --trust where a TorchScript file is among the paths.
void add_options(const Value& profile, std::vector<std::string>& words) {
  const auto at = [](const Value& table, const char* key) -> const Value* {
    const auto found = table.table()->find(key);
    return found == table.table()->end() ? nullptr : &found->second;
  };
  const Value* plugins = at(profile, "plugins");
  const Value* directories = plugins != nullptr && plugins->table() ? at(*plugins, "directories") : nullptr;
  if (directories != nullptr && directories->list()) {
    for (const Value& one : *directories->list()) {
      const auto* text = std::get_if<std::string>(&one.data);
      if (text != nullptr) words.insert(words.end(), {"--plugin-dir", *text});
    }
  }
  const Value* paths = at(profile, "paths");
  if (paths == nullptr || !paths->table()) return;
  const bool script = std::any_of(paths->table()->begin(), paths->table()->end(),
                                  [](const auto& entry) { return entry.first.ends_with(".torchscript"); });
  if (script) words.emplace_back("--trust");
}

}  // namespace

std::string reproduce_command(const ResultStore& results, const CellDetails& cell) {
  const auto experiment = results.experiment_with(cell.status.key);
  if (!experiment) return "";
  Value document = parse_toml(experiment->composed, "the stored experiment");
  const Value profile = parse_toml(experiment->profile, "the stored paths");
  put_paths(document, profile);
  Value::Table& top = *document.table();
  top.erase("out");
  reduce(top, cell.record, !cell.record.train_key.empty() || cell.record.kind == CellKind::train);
  std::vector<std::string> words{"nearfar", "run"};
  add_overrides(top, "", words);
  add_options(profile, words);
  words.insert(words.end(), {"-k", cell.status.id, "--out", "out/again-" + cell.status.id});
  return shell_line(words);
}

}  // namespace nearfar
