/// `nearfar completion` and `nearfar man`: for packages and shells; hidden, as nobody types them.
#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "base/text.h"
#include "cli/command_tree.h"
#include "cli/options_parts.h"
#include "work/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// Stems of the files in the folders, sorted, once each. Folders that are not there have none.
std::string stems(const Paths& folders, const std::string& extension) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (entry.path().extension() == extension) names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names.empty() ? "" : join(names, "\n") + "\n";
}

/// At every press of the tab key: by the names of files alone, no engine is started. Of the plugins some are losses.
std::string names(const std::string& kind) {
  if (kind == "experiments") return stems({"configs/experiments", share() / "configs/experiments"}, ".toml");
  if (kind == "benchmarks") return stems({"configs/benchmarks", share() / "configs/benchmarks"}, ".toml");
  return stems({installed_plugins()}, ".so");
}

struct CompletionArguments {
  std::string shell, kind;
};

int completion_verb(const CompletionArguments& arguments, const CLI::App& verb) {
  if (arguments.shell == "names") {
    fmt::print("{}", names(arguments.kind));
    return 0;
  }
  const CommandText top = command_tree(verb);
  fmt::print("{}", arguments.shell == "bash"  ? bash_completion(top)
                   : arguments.shell == "zsh" ? zsh_completion(top)
                                              : fish_completion(top));
  return 0;
}

struct ManArguments {
  std::vector<std::string> words;
  fs::path all;
};

int man_verb(const ManArguments& arguments, const CLI::App& verb) {
  const CommandText top = command_tree(verb);
  const auto commands = all_commands(top);
  if (!arguments.all.empty()) {
    for (const CommandText* command : commands)
      write_file_atomic(arguments.all / (join(command->path, "-") + ".1"),
                        manual_page(*command, top, engine_version()));
    return 0;
  }
  std::vector<std::string> path{top.path};
  path.insert(path.end(), arguments.words.begin(), arguments.words.end());
  for (const CommandText* command : commands) {
    if (command->path == path) {
      fmt::print("{}", manual_page(*command, top, engine_version()));
      return 0;
    }
  }
  throw Error(ErrorKind::config, fmt::format("{}: there is no such verb; see nearfar --help", join(path, " ")));
}

}  // namespace

Action declare_completion(CLI::App& verb) {
  const auto arguments = std::make_shared<CompletionArguments>();
  verb.group("");
  verb.add_option("shell", arguments->shell, "bash, zsh, fish; or names")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish", "names"}));
  verb.add_option("kind", arguments->kind, "of names")
      ->check(CLI::IsMember({"experiments", "benchmarks", "postprocessors"}));
  return [arguments, &verb] { return completion_verb(*arguments, verb); };
}

Action declare_man(CLI::App& verb) {
  const auto arguments = std::make_shared<ManArguments>();
  verb.group("");
  verb.add_option("verb", arguments->words, "words of a verb (default: the program)");
  verb.add_option("--all", arguments->all, "write every page into this folder");
  return [arguments, &verb] { return man_verb(*arguments, verb); };
}

}  // namespace nearfar
