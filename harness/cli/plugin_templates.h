#pragma once
/// The files of templates/plugin, compiled into the program so that `nearfar plugin new` needs no other file.
#include <span>
#include <string_view>

namespace nearfar {

struct PluginTemplate {
  std::string_view kind;  ///< "common", "postprocessor" or "loss": the folder in templates/plugin
  std::string_view path;  ///< beneath the project's folder; NAME stands for the plugin's name
  std::string_view text;  ///< mustache with the delimiters <% and %>
};

/// Static storage; safe from any thread.
std::span<const PluginTemplate> plugin_templates();

}  // namespace nearfar
