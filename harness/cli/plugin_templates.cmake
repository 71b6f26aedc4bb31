# templates/plugin as constants of plugin_templates.cpp; editing, adding or removing a template configures again.
file(GLOB_RECURSE _templates CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/templates/plugin" "${PROJECT_SOURCE_DIR}/templates/plugin/*")
list(REMOVE_ITEM _templates README.md)
set(rows "")
foreach(_template IN LISTS _templates)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/templates/plugin/${_template}")
  file(READ "${PROJECT_SOURCE_DIR}/templates/plugin/${_template}" _text)
  string(REGEX MATCH "^[^/]+" _set "${_template}")
  string(REGEX REPLACE "^[^/]+/(.*)$" "\\1" _path "${_template}")  # ^ alone would match again after each folder
  string(APPEND rows "      {\"${_set}\", \"${_path}\", R\"nearfar(${_text})nearfar\"},\n")
endforeach()
configure_file(plugin_templates.cpp.in "${CMAKE_CURRENT_BINARY_DIR}/plugin_templates.cpp" @ONLY)
target_sources(nearfar PRIVATE plugin_new.cpp "${CMAKE_CURRENT_BINARY_DIR}/plugin_templates.cpp")
