#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "base/text.h"
#include "cli/options_parts.h"
#include "cli/plugin_templates.h"

#include <nearfar/error.h>

#include <fmt/format.h>
#include <kainjow/mustache.hpp>

#include <cctype>
#include <memory>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 64;

struct NewArguments {
  std::string name, kind, tier = "exact";
  fs::path parent = ".";
  bool force = false;
};

bool is_lower(char letter) { return letter >= 'a' && letter <= 'z'; }
bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

/// Words of small letters and digits with single hyphens between them, a letter first.
bool is_kebab_case(std::string_view name) {
  if (name.empty() || name.size() > kLongestName || !is_lower(name.front())) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool hyphen = name[i] == '-' && i + 1 < name.size() && name[i - 1] != '-';
    if (!hyphen && !is_lower(name[i]) && !is_digit(name[i])) return false;
  }
  return true;
}

void require_free_name(const std::string& name) {
  if (!is_kebab_case(name)) {
    throw Error(ErrorKind::config,
                fmt::format("plugin new: the name is '{}'; expected small letters and digits in words "
                            "joined by '-', a letter first, at most {} characters: my-method",
                            name, kLongestName));
  }
  const fs::path taken = installed_plugins() / (name + ".so");
  if (fs::exists(taken)) {
    throw Error(
        ErrorKind::config,
        fmt::format("plugin new: nearfar has a plugin '{}' already ({}); choose another name", name, taken.string()));
  }
}

/// "my-method": "MyMethod".
std::string class_name(std::string_view name) {
  std::string result;
  for (const std::string& word : split(name, '-')) {
    result += static_cast<char>(std::toupper(static_cast<unsigned char>(word.front())));
    result += word.substr(1);
  }
  return result;
}

std::string rendered(std::string_view text, const NewArguments& arguments) {
  // The delimiters are not mustache's own, which C++ and YAML have as well.
  kainjow::mustache::mustache parsed("{{=<% %>=}}" + std::string(text));
  if (!parsed.is_valid())
    throw Error(ErrorKind::internal, "plugin new: a template is broken: " + parsed.error_message());
  kainjow::mustache::data values;
  values.set("name", arguments.name);
  values.set("kind", arguments.kind);
  values.set("class", class_name(arguments.name));
  return parsed.render(values);
}

void write_project(const fs::path& folder, const NewArguments& arguments) {
  for (const PluginTemplate& file : plugin_templates()) {
    if (file.kind != "common" && file.kind != arguments.kind) continue;
    write_file_atomic(folder / replace_all(std::string(file.path), "NAME", arguments.name),
                      rendered(file.text, arguments));
  }
}

/// All of it under a hidden name and then renamed: there is the whole project or none.
void make_project(const fs::path& folder, const NewArguments& arguments) {
  const fs::path temporary = temporary_name(folder);
  try {
    write_project(temporary, arguments);
    fs::rename(temporary, folder);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

int plugin_new_verb(const NewArguments& arguments) {
  require_free_name(arguments.name);
  const fs::path folder = (arguments.parent / arguments.name).lexically_normal();
  const bool exists = fs::exists(fs::symlink_status(folder));
  if (exists && !(arguments.force && fs::is_directory(folder))) {
    throw Error(ErrorKind::config, fmt::format("plugin new: {} exists already; choose another name or --dir, or write "
                                               "the template's files into that folder by --force",
                                               folder.string()));
  }
  try {
    if (exists) {
      write_project(folder, arguments);
    } else {
      make_project(folder, arguments);
    }
  } catch (const fs::filesystem_error& failure) {
    throw Error(ErrorKind::config,
                fmt::format("plugin new: {}; expected a folder that can be written to, see --dir", failure.what()));
  }
  fmt::print(
      "{}: a {} that works; the formula is in {}. Next:\n\n"
      "  cd {}\n"
      "  cmake --preset release && cmake --build --preset release && ctest --preset release\n"
      "  nearfar run experiment.toml --plugin-dir build/plugins --out runs\n",
      folder.string(), arguments.kind, arguments.name + ".cpp", folder.string());
  return 0;
}

}  // namespace

Action declare_plugin_new(CLI::App& verb) {
  const auto arguments = std::make_shared<NewArguments>();
  verb.add_option("name", arguments->name, "of the plugin and its folder, my-method")->required();
  verb.add_option("--kind", arguments->kind, "postprocessor or loss")
      ->required()
      ->check(CLI::IsMember({"postprocessor", "loss"}));
  verb.add_option("--tier", arguments->tier, "exact: built for this nearfar's LibTorch")
      ->check(CLI::IsMember({"exact"}));
  verb.add_option("--dir", arguments->parent, "where the folder is made (default: here)");
  verb.add_flag("--force", arguments->force, "write over the template's files in a folder that exists");
  return [arguments] { return plugin_new_verb(*arguments); };
}

}  // namespace nearfar
