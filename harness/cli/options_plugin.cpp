/// Options of `nearfar plugin`: what authors of plugins use. Each verb is declared in its own file.
#include "cli/options_parts.h"

namespace nearfar {
namespace {

constexpr Verb kPluginVerbs[] = {
    {"path", "the folders that plugins are looked for in, in this order", declare_plugin_path},
    {"bench", "time and memory of a plugin, in turn with another one; docs/plugin-bench.md", declare_plugin_bench},
};

}  // namespace

Action declare_plugin(CLI::App& verb) { return declare_verbs(verb, kPluginVerbs); }

}  // namespace nearfar
