#pragma once
/// The files of templates/plugin, compiled into the program so that `nearfar plugin new` needs no other file.
#include <span>
#include <string_view>

namespace nearfar {

struct PluginTemplate {
  std::string_view set;   ///< the folder in templates/plugin; templates/plugin/README.md says which plugin has which
  std::string_view path;  ///< beneath the project's folder; NAME stands for the plugin's name
  std::string_view text;  ///< mustache with the delimiters <% and %>
};

/// Static storage; safe from any thread.
std::span<const PluginTemplate> plugin_templates();

}  // namespace nearfar
