#pragma once
/// The command line as plain data, read once from CLI11's tree: what completions and manual pages are written from, so
/// that neither can name an option that does not exist. Pure text; safe from any thread.
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace nearfar {

/// What completes a value: files, or names that `nearfar completion names KIND` lists.
enum class ValueKind { file, experiment, benchmark, postprocessor };

struct OptionText {
  std::vector<std::string> names = {};  ///< "--out", "-o"; one bare word for a positional
  std::string help = {};
  std::vector<std::string> choices = {};  ///< the only values there are; empty = any
  std::string environment = {};           ///< the variable that gives the value, too
  ValueKind kind = ValueKind::file;
  bool takes_value = false;
  bool value_optional = false;
  bool required = false;
  bool repeats = false;
};

struct CommandText {
  std::vector<std::string> path = {};  ///< "nearfar", "report", "cell"
  std::string help = {};
  std::vector<OptionText> options = {}, positionals = {};
  std::vector<CommandText> verbs = {};
};

/// The whole tree above `any`, without hidden verbs.
CommandText command_tree(const CLI::App& any);

/// `top` and all beneath it, top first.
std::vector<const CommandText*> all_commands(const CommandText& top);

std::string bash_completion(const CommandText& top);
std::string zsh_completion(const CommandText& top);
std::string fish_completion(const CommandText& top);

/// A page of section 1, as roff. `version` goes into the footer.
std::string manual_page(const CommandText& command, const CommandText& top, const std::string& version);

}  // namespace nearfar
