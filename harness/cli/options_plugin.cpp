/// Options of `nearfar plugin`: what authors of plugins use. Each verb is declared in its own file.
#include "cli/options_parts.h"

namespace nearfar {
namespace {

constexpr Verb kPluginVerbs[] = {
    {"list", "the plugins that are found, and which of several of one name is taken", declare_plugin_list},
    {"path", "the folders that plugins are looked for in, in this order", declare_plugin_path},
    {"new", "a project for a plugin of your own, which builds and passes its tests at once", declare_plugin_new},
    {"inspect", "what a plugin says of itself and whether this installation takes it; none of its code runs",
     declare_plugin_inspect},
    {"check", "does a plugin keep what plugins promise: each check in a process of its own", declare_plugin_check},
    {"bench", "time and memory of a plugin, in turn with another one; docs/plugin-bench.md", declare_plugin_bench},
};

}  // namespace

Action declare_plugin(CLI::App& verb) { return declare_verbs(verb, kPluginVerbs); }

}  // namespace nearfar
