#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "base/text.h"
#include "cli/options_parts.h"
#include "cli/plugin_templates.h"

#include <nearfar/error.h>

#include <fmt/format.h>
#include <kainjow/mustache.hpp>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <memory>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 40;  // plugin check's `name`

struct NewArguments {
  std::string name, kind, tier = "stable", language;
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

/// What the author writes in: "cxx", "c" or "rust".
std::string form(const NewArguments& arguments) {
  if (arguments.tier != "c") return "cxx";
  return arguments.language.empty() ? "c" : arguments.language;
}

std::string source_name(const NewArguments& arguments) {
  const std::string language = form(arguments);
  return arguments.name + (language == "cxx" ? ".cpp" : language == "c" ? ".c" : ".rs");
}

/// Debian's, of what builds the plugin.
std::string compilers(const NewArguments& arguments) {
  const std::string language = form(arguments);
  return language == "cxx" ? "g++" : language == "c" ? "gcc" : "gcc rustc";
}

std::string rendered(std::string_view text, const NewArguments& arguments) {
  // The delimiters are not mustache's own, which C++ and YAML have as well.
  kainjow::mustache::mustache parsed("{{=<% %>=}}" + std::string(text));
  if (!parsed.is_valid())
    throw Error(ErrorKind::internal, "plugin new: a template is broken: " + parsed.error_message());
  kainjow::mustache::data values;
  values.set("name", arguments.name);
  values.set("kind", arguments.kind);
  values.set("tier", arguments.tier);
  values.set("class", class_name(arguments.name));
  values.set("source", source_name(arguments));
  values.set("compilers", compilers(arguments));
  return parsed.render(values);
}

void write_project(const fs::path& folder, const NewArguments& arguments) {
  const std::string kind = arguments.kind, language = form(arguments);
  const std::string sets[] = {"common", kind, language, kind + "-" + language, kind + "-tier-" + arguments.tier};
  for (const PluginTemplate& file : plugin_templates()) {
    if (std::ranges::find(sets, file.set) == std::end(sets)) continue;
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
  if (!arguments.language.empty() && arguments.tier != "c") {
    throw Error(ErrorKind::config,
                fmt::format("plugin new: --lang {} with --tier {}; expected --tier c: the other tiers are C++",
                            arguments.language, arguments.tier));
  }
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
      "{}: a {} of tier {} that works; the formula is in {}, at YOUR FORMULA. Next:\n\n"
      "  cd {}\n"
      "  cmake --preset release && cmake --build --preset release && ctest --preset release\n"
      "  nearfar run experiment.toml --plugin-dir build/plugins --out runs\n",
      folder.string(), arguments.kind, arguments.tier, source_name(arguments), folder.string());
  return 0;
}

}  // namespace

Action declare_plugin_new(CLI::App& verb) {
  const auto arguments = std::make_shared<NewArguments>();
  verb.add_option("name", arguments->name, "of the plugin and its folder, my-method")->required();
  verb.add_option("--kind", arguments->kind, "postprocessor or loss")
      ->required()
      ->check(CLI::IsMember({"postprocessor", "loss"}));
  verb.add_option("--tier", arguments->tier,
                  "stable (default): C++, LibTorch 2.11 and newer; exact: C++, this nearfar's LibTorch alone; c: no "
                  "LibTorch; docs/stable-plugins.md")
      ->check(CLI::IsMember({"stable", "exact", "c"}));
  verb.add_option("--lang", arguments->language, "of tier c: c (default) or rust")->check(CLI::IsMember({"c", "rust"}));
  verb.add_option("--dir", arguments->parent, "where the folder is made (default: here)");
  verb.add_flag("--force", arguments->force, "write over the template's files in a folder that exists");
  return [arguments] { return plugin_new_verb(*arguments); };
}

}  // namespace nearfar
