/// Manual pages of section 1. man(7)'s macros only, so that any troff reads them.
#include "base/text.h"
#include "cli/command_tree.h"

#include <fmt/format.h>

#include <string_view>

namespace nearfar {
namespace {

/// A character beyond ASCII as groff and mandoc name it, whatever the locale: "\[u2026]". `at` is moved to its last
/// byte.
std::string named_character(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  unsigned code = first & (0x3Fu >> more);
  for (std::size_t i = 0; i < more && at + 1 < text.size(); ++i)
    code = code << 6 | (static_cast<unsigned char>(text[++at]) & 0x3Fu);
  return fmt::format("\\[u{:04X}]", code);
}

/// Text as roff: backslashes and dashes escaped, and a line that begins like a request is none.
std::string roff(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (static_cast<unsigned char>(c) >= 0x80) {
      result += named_character(text, at);
    } else if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else if (c == '\n') {
      result += "\n.br\n";
    } else {
      result += c;
    }
  }
  return result.starts_with('.') || result.starts_with('\'') ? "\\&" + result : result;
}

std::string value_of(const OptionText& option) {
  if (!option.takes_value) return "";
  const std::string value = option.choices.empty() ? "VALUE" : join(option.choices, "|");
  return option.value_optional ? "[" + value + "]" : value;
}

std::string option_heading(const OptionText& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) names.push_back("\\fB" + roff(name) + "\\fR");
  std::string heading = join(names, ", ");
  if (const std::string value = value_of(option); !value.empty()) heading += " \\fI" + roff(value) + "\\fR";
  return heading;
}

std::string section_of_options(const std::vector<OptionText>& options) {
  std::string text;
  for (const OptionText& option : options) {
    std::string help = option.help;
    if (!option.environment.empty()) help += fmt::format(" (or the environment variable {})", option.environment);
    text += fmt::format(".TP\n{}\n{}\n", option_heading(option), help.empty() ? "\\&" : roff(help));
  }
  return text;
}

std::string section_of_arguments(const std::vector<OptionText>& positionals) {
  std::string text;
  for (const OptionText& argument : positionals) {
    std::string help = argument.help;
    if (!argument.choices.empty()) help += (help.empty() ? "" : "; ") + ("one of " + join(argument.choices, ", "));
    text += fmt::format(".TP\n\\fI{}\\fR\n{}\n", roff(argument.names.front()), help.empty() ? "\\&" : roff(help));
  }
  return text;
}

std::string synopsis(const CommandText& command) {
  std::string text = "\\fB" + roff(join(command.path, " ")) + "\\fR";
  if (!command.options.empty()) text += " [\\fIOPTION\\fR]...";
  for (const OptionText& argument : command.positionals) {
    const std::string name = "\\fI" + roff(argument.names.front()) + "\\fR" + (argument.repeats ? "..." : "");
    text += argument.required ? " " + name : " [" + name + "]";
  }
  return command.verbs.empty() ? text : text + " \\fIVERB\\fR ...";
}

/// Those that every verb may read.
constexpr std::string_view kEnvironment =
    ".TP\n\\fBNEARFAR_TORCH_DIR\\fR\nfolder with lib/ of LibTorch, in place of the one that fetch_libtorch has "
    "fetched\n"
    ".TP\n\\fBNEARFAR_DEPS\\fR\nfolder that fetch_libtorch has unpacked into, where it is not the installation\n"
    ".TP\n\\fBNEARFAR_DATA\\fR\nfolder beneath which the images of benchmarks are looked for\n"
    ".TP\n\\fBNEARFAR_PLUGIN_PATH\\fR\nfolders with plugins, with colons between them\n"
    ".TP\n\\fBNO_COLOR\\fR\nno colours\n";
constexpr std::string_view kExitStatus =
    ".TP\n\\fB0\\fR\ndone\n.TP\n\\fB1\\fR\nit ran, and some of it failed, or differs\n.TP\n\\fB2\\fR\ninterrupted\n"
    ".TP\n\\fB3\\fR\nLibTorch is missing, or nearfar has a bug\n.TP\n\\fB4\\fR\nusage or configuration\n"
    ".TP\n\\fB5\\fR\nnothing fits\n.TP\n\\fB6\\fR\ndata\n.TP\n\\fB7\\fR\na plugin\n.TP\n\\fB8\\fR\nthe database\n";

}  // namespace

std::string manual_page(const CommandText& command, const CommandText& top, const std::string& version) {
  const std::string name = join(command.path, "-");
  std::string text = fmt::format(
      "'\\\" written by `nearfar man`\n.TH {} 1 \"\" \"nearfar {}\" \"nearfar\"\n.SH NAME\n{} \\- {}\n"
      ".SH SYNOPSIS\n{}\n.SH DESCRIPTION\n{}\n",
      roff(name), roff(version), roff(name), roff(command.help), synopsis(command), roff(command.help));
  if (!command.verbs.empty()) {
    text += ".SH VERBS\n";
    for (const CommandText& verb : command.verbs)
      text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(verb.path.back()), roff(verb.help));
  }
  if (!command.positionals.empty()) text += ".SH ARGUMENTS\n" + section_of_arguments(command.positionals);
  if (!command.options.empty()) text += ".SH OPTIONS\n" + section_of_options(command.options);
  text += fmt::format(".SH EXIT STATUS\n{}.SH ENVIRONMENT\n{}", kExitStatus, kEnvironment);
  std::vector<std::string> others;
  for (const CommandText& verb : command.verbs) others.push_back(join(verb.path, "-"));
  if (&command != &top) others.insert(others.begin(), top.path.back());
  for (std::string& other : others) other = ".BR " + roff(other) + " (1)";
  return text + ".SH SEE ALSO\n" + join(others, ",\n") + "\n";
}

}  // namespace nearfar
