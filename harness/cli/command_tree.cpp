#include "cli/command_tree.h"

#include "base/text.h"

#include <CLI/CLI.hpp>

#include <string_view>

namespace nearfar {
namespace {

/// Values that are names of something shipped. A verb's words, then the positional or option.
struct NamedValue {
  std::string_view verb, option;
  ValueKind kind;
};
constexpr NamedValue kNamedValues[] = {
    {"nearfar run", "config", ValueKind::experiment},
    {"nearfar plan", "config", ValueKind::experiment},
    {"nearfar submit", "config", ValueKind::experiment},
    {"nearfar config", "words", ValueKind::experiment},
    {"nearfar score", "name", ValueKind::postprocessor},
    {"nearfar data check", "benchmark", ValueKind::benchmark},
    {"nearfar data pack", "benchmark", ValueKind::benchmark},
    {"nearfar data synth", "benchmark", ValueKind::benchmark},
    {"nearfar compare", "--benchmark", ValueKind::benchmark},
    {"nearfar report benchmark", "benchmark", ValueKind::benchmark},
};

ValueKind kind_of(const std::string& verb, const std::vector<std::string>& names) {
  for (const NamedValue& row : kNamedValues) {
    if (row.verb != verb) continue;
    for (const std::string& name : names) {
      if (name == row.option) return row.kind;
    }
  }
  return ValueKind::file;
}

/// CLI11 has the members of a set only in its text: "TEXT:{cpu,cuda}".
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t begin = type.find('{'), end = type.find('}');
  if (begin == std::string::npos || end == std::string::npos) return {};
  return split(type.substr(begin + 1, end - begin - 1), ',');
}

OptionText text_of(const CLI::Option& option, const std::string& verb) {
  OptionText text{.help = option.get_description(),
                  .choices = choices_of(option),
                  .environment = option.get_envname(),
                  .takes_value = option.get_items_expected_max() > 0,
                  .value_optional = option.get_items_expected_min() == 0,
                  .required = option.get_required(),
                  .repeats = option.get_items_expected_max() > 1};
  if (option.get_positional()) {
    text.names = {option.get_name(/*positional=*/true)};
  } else {
    for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);
    for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  }
  text.kind = kind_of(verb, text.names);
  return text;
}

CommandText text_of(const CLI::App& app, std::vector<std::string> path) {
  path.push_back(app.get_name());
  CommandText command{.path = path, .help = app.get_description()};
  const std::string verb = join(path, " ");
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    (option->get_positional() ? command.positionals : command.options).push_back(text_of(*option, verb));
  }
  for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!below->get_group().empty()) command.verbs.push_back(text_of(*below, path));
  }
  return command;
}

void collect(const CommandText& command, std::vector<const CommandText*>& all) {
  all.push_back(&command);
  for (const CommandText& below : command.verbs) collect(below, all);
}

}  // namespace

CommandText command_tree(const CLI::App& any) {
  const CLI::App* top = &any;
  while (top->get_parent() != nullptr) top = top->get_parent();
  return text_of(*top, {});
}

std::vector<const CommandText*> all_commands(const CommandText& top) {
  std::vector<const CommandText*> all;
  collect(top, all);
  return all;
}

}  // namespace nearfar
