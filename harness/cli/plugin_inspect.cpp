#include "base/error.h"
#include "base/hash.h"
#include "base/locations.h"
#include "base/text.h"
#include "cli/options_parts.h"
#include "data/printable.h"
#include "host/plugin_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace nearfar {
namespace {
using nlohmann::json;
namespace fs = std::filesystem;

struct InspectArguments {
  std::string plugin;
  std::string kind;
  Paths plugin_dirs;
  bool json = false;
};

/// A stranger's text, in one line on a terminal.
std::string shown(const std::string& text) { return printable(text, 2000); }

std::string shown(const std::vector<std::string>& texts) { return texts.empty() ? "none" : shown(join(texts, ", ")); }

/// In the order of PluginSearch (host/plugin.h); folders that do not exist are empty.
std::vector<fs::path> libraries(const Paths& plugin_dirs) {
  std::vector<fs::path> folders(plugin_dirs.begin(), plugin_dirs.end());
  const char* environment = std::getenv("NEARFAR_PLUGIN_PATH");
  for (const std::string& part : split(environment != nullptr ? environment : "", ':')) {
    if (!part.empty()) folders.emplace_back(part);
  }
  folders.push_back(installed_plugins());
  std::vector<fs::path> files;
  for (const fs::path& folder : folders) {
    std::error_code failure;
    const auto first = static_cast<std::ptrdiff_t>(files.size());
    for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
      if (entry->path().extension() == ".so") files.push_back(entry->path());
    }
    std::sort(files.begin() + first, files.end());
  }
  return files;
}

/// The first plugin of that name in the search path; of both kinds, where no kind is asked for, it must be the only
/// one. A library without a readable note goes by its file's name.
fs::path find_plugin(const InspectArguments& arguments) {
  const std::string key = plugin_key(arguments.plugin);
  std::vector<std::string> names;
  std::optional<PluginFile> found;
  for (const fs::path& path : libraries(arguments.plugin_dirs)) {
    PluginFile file = read_plugin_file(path);
    const std::string name = file.note ? file.note->name : plugin_key(path.stem().string());
    const std::string kind = file.note ? std::string(plugin_kind_name(file.note->kind)) : "";
    if (!arguments.kind.empty() && file.note && kind != arguments.kind) continue;
    names.push_back(name);
    if (name != key) continue;
    if (!found) {
      found = std::move(file);
    } else if (file.note && found->note && file.note->kind != found->note->kind) {
      throw Error(ErrorKind::config,
                  fmt::format("'{}' is a {} ({}) and a {} ({}); give --kind or the file", key,
                              plugin_kind_name(found->note->kind), found->path.string(), kind, path.string()));
    }
  }
  if (found) return found->path;
  std::ranges::sort(names);
  throw Error(ErrorKind::config,
              fmt::format("no plugin '{}'{}; give a .so, or one of the names in the search path (nearfar plugin path)",
                          arguments.plugin, suggestion(key, names)));
}

fs::path file_of(const InspectArguments& arguments) {
  const fs::path path = arguments.plugin;
  std::error_code failure;
  const bool is_file = arguments.plugin.find('/') != std::string::npos || path.extension() == ".so" ||
                       fs::is_regular_file(path, failure);
  return is_file ? path : find_plugin(arguments);
}

json symbol_names(const std::vector<ElfSymbol>& symbols) {
  json names = json::array();
  for (const ElfSymbol& symbol : symbols)
    names.push_back(symbol.version.empty() ? symbol.name : symbol.name + "@" + symbol.version);
  return names;
}

json elf_json(const ElfFile& elf) {
  return {{"libraries", elf.needed},
          {"run_path", elf.run_path},
          {"exports", symbol_names(elf.exports)},
          {"undefined", symbol_names(elf.undefined)},
          {"executable_stack", elf.executable_stack},
          {"text_relocations", elf.text_relocations},
          {"binds_now", elf.binds_now},
          {"stays_loaded", elf.stays_loaded}};
}

json torch_json(const TorchRange& range) {
  return {{"text", range.text()},
          {"any", range.any},
          {"only", range.only.empty() ? json() : json(range.only)},
          {"first", range.any || !range.only.empty() ? json() : json(range.first.text())},
          {"before", range.before ? json(range.before->text()) : json()},
          {"decisive", range.decisive},
          {"unknown", range.unknown}};
}

json inspection(const PluginFile& file, const HostFacts& host) {
  json document{{"file", fs::absolute(file.path).string()}};
  if (file.elf) {
    document["sha256"] = sha256_file(file.path);
    document["elf"] = elf_json(*file.elf);
  }
  if (file.note) {
    const PluginNote& note = *file.note;
    const BuildTagText& tag = note.build_tag;
    document.update(
        {{"tier", plugin_tier_name(note.tier)},
         {"kind", plugin_kind_name(note.kind)},
         {"name", note.name},
         {"version", note.version},
         {"summary", note.summary},
         {"reference", note.reference},
         {"needs", need_names(note.needs)},
         {"params", params_to_json(note.params)},
         {"source_hash", note.source_hash},
         {note.tier == PluginTier::exact ? "api" : "abi", note.tier == PluginTier::exact ? note.api : note.abi},
         {"build_tag",
          {{"torch", tag.torch},
           {"cxx_abi", tag.cxx_abi},
           {"compiler", tag.compiler},
           {"standard", tag.standard},
           {"sdk", tag.sdk}}},
         {"runs_on", torch_json(torch_range(file))}});
  }
  const auto fault = plugin_fault(file, host);
  document["verdict"] =
      fault ? json{{"taken", false}, {"found", fault->found}, {"wanted", fault->wanted}, {"fix", fault->fix}}
            : json{{"taken", true}};
  return document;
}

void row(const char* name, const std::string& value) { fmt::print("{:<12}{}\n", name, value.empty() ? "–" : value); }

std::string range_text(const ParamSpec& spec) {
  if (!spec.choices.empty()) return shown(join(spec.choices, " | "));
  if (spec.type != ParamType::integer && spec.type != ParamType::number) return "";
  return number_text(spec.minimum) + " to " + number_text(spec.maximum);
}

void print_params(const ParamSchema& schema) {
  if (schema.empty()) {
    row("parameters", "none");
    return;
  }
  std::vector<std::vector<std::string>> rows{{"parameter", "type", "default", "allowed", ""}};
  for (const ParamSpec& spec : schema) {
    rows.push_back({spec.name, std::string(param_type_name(spec.type)), shown(param_text(spec.default_value)),
                    range_text(spec), shown(spec.help)});
  }
  fmt::print("\n{}\n", table(rows, std::vector<bool>(5, false)));
}

void print_note(const PluginFile& file) {
  const PluginNote& note = *file.note;
  fmt::print("{} {}: {} of tier {}\n", note.name, shown(note.version), plugin_kind_name(note.kind),
             plugin_tier_name(note.tier));
  if (!note.summary.empty()) fmt::print("{}\n", shown(note.summary));
  if (!note.reference.empty()) fmt::print("{}\n", shown(note.reference));
  fmt::print("\n");
  row("needs", shown(need_names(note.needs)));
  print_params(note.params);
  const TorchRange range = torch_range(file);
  row("LibTorch", range.text());
  if (!range.decisive.empty()) row("", "for " + shown(range.decisive));
  const BuildTagText& tag = note.build_tag;
  std::vector<std::string> built{note.tier == PluginTier::exact ? fmt::format("API {}", note.api)
                                                                : fmt::format("ABI {}", note.abi)};
  for (const auto& [name, value] :
       {std::pair("torch", &tag.torch), std::pair("C++ ABI", &tag.cxx_abi), std::pair("compiler", &tag.compiler),
        std::pair("standard", &tag.standard), std::pair("SDK", &tag.sdk)}) {
    if (!value->empty()) built.push_back(fmt::format("{} {}", name, *value));
  }
  row("built for", shown(built));
  row("source", shown(note.source_hash));
}

void print_elf(const ElfFile& elf) {
  std::vector<std::string> exports;
  for (const ElfSymbol& symbol : elf.exports) exports.push_back(symbol.name);
  row("libraries", shown(elf.needed));
  row("exports", shown(exports));
  if (elf.executable_stack)
    row("warning", "asks for an executable stack: newer systems refuse it; link with -z noexecstack");
  if (elf.text_relocations) row("warning", "has text relocations: compile all of it with -fPIC");
}

int plugin_inspect_verb(const InspectArguments& arguments) {
  const PluginFile file = read_plugin_file(file_of(arguments));
  const HostFacts host = this_host(false);
  const auto fault = plugin_fault(file, host);
  if (arguments.json) {
    fmt::print("{}\n", inspection(file, host).dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    if (file.note) print_note(file);
    if (file.elf) print_elf(*file.elf);
    row("file", shown(file.path.string()));
    if (!fault) {
      row("verdict", "this installation takes it");
    } else {
      row("verdict", "refused by this installation");
      row("  found", shown(fault->found));
      row("  wanted", shown(fault->wanted.substr(fault->wanted.starts_with("expected ") ? 9 : 0)));
      row("  fix", shown(fault->fix));
    }
  }
  return fault ? exit_code(ErrorKind::plugin) : 0;
}

}  // namespace

Action declare_plugin_inspect(CLI::App& verb) {
  const auto arguments = std::make_shared<InspectArguments>();
  verb.add_option("plugin", arguments->plugin, "a plugin's .so, or the name of one in the search path")->required();
  verb.add_option("--kind", arguments->kind, "postprocessor or loss, where both have the name")
      ->check(CLI::IsMember({"postprocessor", "loss"}));
  add_json(verb, arguments->json);
  add_plugin_dirs(verb, arguments->plugin_dirs);
  return [arguments] { return plugin_inspect_verb(*arguments); };
}

}  // namespace nearfar
