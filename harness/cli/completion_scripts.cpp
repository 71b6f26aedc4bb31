/// Completion scripts. All three walk over the words before the cursor to find the verb ("nearfar/report/cell"), then
/// offer its verbs, options and values.
#include "base/text.h"
#include "cli/command_tree.h"

#include <fmt/format.h>

#include <string_view>

namespace nearfar {
namespace {

/// Within single quotes of a POSIX shell and of zsh.
std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// fish knows \' and \\ within single quotes.
std::string fish_quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result + "'";
}

std::string path_of(const CommandText& command) { return join(command.path, "/"); }

std::string_view names_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::experiment:
      return "experiments";
    case ValueKind::benchmark:
      return "benchmarks";
    case ValueKind::postprocessor:
      return "postprocessors";
    case ValueKind::file:
      break;
  }
  return "";
}

/// "nearfar/run|nearfar/plan|…": every path but the first.
std::string paths_below(const CommandText& top) {
  std::vector<std::string> paths;
  for (const CommandText* command : all_commands(top)) {
    if (command != &top) paths.push_back(path_of(*command));
  }
  return join(paths, "|");
}

/// Shell lines that set `at` from the words before the cursor; the same in bash and zsh but for the array and its first
/// index.
std::string find_path(const CommandText& top, std::string_view words, std::string_view first,
                      std::string_view current) {
  return fmt::format(
      "  local at=nearfar i\n"
      "  for ((i = {}; i < {}; i++)); do\n"
      "    case $at/${{{}[i]}} in\n"
      "      {}) at=$at/${{{}[i]}} ;;\n"
      "    esac\n"
      "  done\n",
      first, current, words, paths_below(top), words);
}

/// What the shell functions below need of a value: words to choose from, or a command that lists them, and whether
/// files do, too.
std::string value_words(const OptionText& option) {
  if (!option.choices.empty()) return fmt::format("values={} files=", quoted(join(option.choices, " ")));
  if (option.kind == ValueKind::file) return "values= files=yes";
  return fmt::format("values=$(\"$program\" completion names {} 2>/dev/null) files=yes", names_of(option.kind));
}

/// `case` rows for bash and zsh: values of options by "path:option", then what a path offers where no option waits for
/// a value.
std::string value_rows(const CommandText& top) {
  std::string rows;
  for (const CommandText* command : all_commands(top)) {
    for (const OptionText& option : command->options) {
      if (!option.takes_value || option.value_optional) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) patterns.push_back(path_of(*command) + ":" + name);
      rows += fmt::format("    {}) {} ;;\n", join(patterns, "|"), value_words(option));
    }
  }
  return rows;
}

}  // namespace

std::string bash_completion(const CommandText& top) {
  std::string text =
      "# bash completion for nearfar; written by `nearfar completion bash`\n"
      "_nearfar() {\n"
      "  local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} values= "
      "files= options=\n" +
      find_path(top, "COMP_WORDS", "1", "COMP_CWORD") + "  case $at:$before in\n" + value_rows(top) +
      "    *)\n"
      "      case $at in\n";
  for (const CommandText* command : all_commands(top)) {
    std::vector<std::string> options, verbs;
    for (const OptionText& option : command->options)
      options.insert(options.end(), option.names.begin(), option.names.end());
    for (const CommandText& verb : command->verbs) verbs.push_back(verb.path.back());
    std::string values = verbs.empty() ? "" : fmt::format("values={} files=", quoted(join(verbs, " ")));
    if (verbs.empty() && !command->positionals.empty()) values = value_words(command->positionals.front());
    text += fmt::format("        {}) {}{}options={} ;;\n", path_of(*command), values, values.empty() ? "" : " ",
                        quoted(join(options, " ")));
  }
  return text +
         "      esac\n"
         "      case $word in -*) values=$options files= ;; esac ;;\n"
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$word\"; [ -z \"$files\" ] || compgen -f -- "
         "\"$word\")\n"
         "  [ -z \"$files\" ] || compopt -o filenames 2>/dev/null\n"
         "}\n"
         "complete -F _nearfar nearfar\n";
}

std::string zsh_completion(const CommandText& top) {
  std::string text =
      "#compdef nearfar\n"
      "# zsh completion for nearfar; written by `nearfar completion zsh`\n"
      "_nearfar() {\n"
      "  local program=${words[1]} before=${words[CURRENT-1]} values= files= found=1\n"
      "  local -a offers options\n" +
      find_path(top, "words", "2", "CURRENT") + "  case $at:$before in\n" + value_rows(top) +
      "    *)\n"
      "      case $at in\n";
  // `described` texts: a colon ends the word, so those in words are escaped.
  const auto described = [](std::string name, const std::string& help) { return quoted(name + ":" + help); };
  for (const CommandText* command : all_commands(top)) {
    std::string offers, options, values;
    for (const CommandText& verb : command->verbs) offers += described(verb.path.back(), verb.help) + " ";
    for (const OptionText& option : command->options) {
      for (const std::string& name : option.names) options += described(name, option.help) + " ";
    }
    if (command->verbs.empty() && !command->positionals.empty()) values = value_words(command->positionals.front());
    text += fmt::format("        {}) {} offers=({}) options=({}) ;;\n", path_of(*command), values, offers, options);
  }
  return text +
         "      esac\n"
         "      if [[ ${words[CURRENT]} == -* ]]; then _describe option options && return; fi\n"
         "      (( $#offers )) && _describe verb offers && found=0 ;;\n"
         "  esac\n"
         "  [[ -n $values ]] && compadd -- ${=values} && found=0\n"
         "  [[ -n $files ]] && _files && found=0\n"
         "  return $found\n"
         "}\n"
         "if [ \"$funcstack[1]\" = _nearfar ]; then _nearfar \"$@\"; else compdef _nearfar nearfar; fi\n";
}

std::string fish_completion(const CommandText& top) {
  std::string paths;
  for (const CommandText* command : all_commands(top)) {
    if (command != &top) paths += " " + path_of(*command);
  }
  std::string text = fmt::format(
      "# fish completion for nearfar; written by `nearfar completion fish`\n"
      "function __nearfar_at\n"
      "  set -l path nearfar\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    if contains -- $path/$word{}\n"
      "      set path $path/$word\n"
      "    end\n"
      "  end\n"
      "  test $path = $argv[1]\n"
      "end\n",
      paths);
  for (const CommandText* command : all_commands(top)) {
    const std::string at = fmt::format("complete -c nearfar -n '__nearfar_at {}'", path_of(*command));
    for (const CommandText& verb : command->verbs)
      text += fmt::format("{} -f -a {} -d {}\n", at, verb.path.back(), fish_quoted(verb.help));
    for (const OptionText& option : command->options) {
      text += at;
      for (const std::string& name : option.names)
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (option.takes_value && !option.value_optional) text += " -r";
      if (!option.choices.empty()) text += " -f -a " + fish_quoted(join(option.choices, " "));
      if (option.choices.empty() && option.kind != ValueKind::file)
        text += fmt::format(" -a '(nearfar completion names {})'", names_of(option.kind));
      text += fmt::format(" -d {}\n", fish_quoted(option.help));
    }
    if (!command->verbs.empty() || command->positionals.empty()) continue;
    const OptionText& first = command->positionals.front();
    if (!first.choices.empty()) text += fmt::format("{} -f -a {}\n", at, fish_quoted(join(first.choices, " ")));
    if (first.choices.empty() && first.kind != ValueKind::file)
      text += fmt::format("{} -a '(nearfar completion names {})'\n", at, names_of(first.kind));
  }
  return text;
}

}  // namespace nearfar
