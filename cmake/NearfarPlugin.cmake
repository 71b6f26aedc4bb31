# nearfar_add_plugin(NAME [KIND postprocessor|loss] SOURCES … [HEADERS …] [OUTPUT_DIRECTORY D]): builds one plugin, NAME.so, in D; by default in the
# plugin folder, or in plugins/ of the build folder of a project outside. In-tree plugins and a stranger's use this same function.
#
# - links nothing but the SDK and LibTorch; needs no RPATH, the host has both loaded already
# - exports one symbol, binds at load, is never unloaded
# - SOURCES, HEADERS, every file they include by #include "…" beside them, and the SDK headers are hashed into the descriptor: a result made by
#   other code is another cell. HEADERS is for what an include line cannot tell (a file named by a macro)
include_guard()
set(NEARFAR_PLUGIN_MAP "${CMAKE_CURRENT_LIST_DIR}/plugin.map")

# nearfar_files_hash(VARIABLE FILE…): SHA-256 over names and contents; editing a file configures again.
function(nearfar_files_hash variable)
  set(all "")
  foreach(file IN LISTS ARGN)
    get_filename_component(file "${file}" ABSOLUTE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    get_filename_component(name "${file}" NAME)
    file(SHA256 "${file}" hash)
    string(APPEND all "${name} ${hash}\n")
  endforeach()
  string(SHA256 result "${all}")
  set(${variable} "${result}" PARENT_SCOPE)
endfunction()

# nearfar_quoted_includes(VARIABLE FILE…): the files and, recursively, what they include by #include "…": a plugin's own headers. <…> is the SDK,
# LibTorch and std. Without this a shared header that a CMakeLists.txt forgets would change results under an unchanged hash.
function(nearfar_quoted_includes variable)
  set(todo ${ARGN})
  set(all "")
  while(todo)
    list(POP_FRONT todo file)
    get_filename_component(file "${file}" ABSOLUTE)
    if(file IN_LIST all)
      continue()
    endif()
    list(APPEND all "${file}")
    get_filename_component(folder "${file}" DIRECTORY)
    file(STRINGS "${file}" lines REGEX "^[ \t]*#[ \t]*include[ \t]*\"")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^[^\"]*\"([^\"]*)\".*" "\\1" included "${line}")
      if(EXISTS "${folder}/${included}")
        list(APPEND todo "${folder}/${included}")
      endif()
    endforeach()
  endwhile()
  set(${variable} "${all}" PARENT_SCOPE)
endfunction()

function(nearfar_add_plugin name)
  cmake_parse_arguments(ARG "" "OUTPUT_DIRECTORY;KIND" "SOURCES;HEADERS" ${ARGN})
  if(ARG_KIND AND NOT ARG_KIND MATCHES "^(postprocessor|loss)$")
    message(FATAL_ERROR "nearfar_add_plugin(${name}): KIND is '${ARG_KIND}'; expected postprocessor or loss")
  endif()
  if(nearfar_EXACT_PROBLEM)
    message(FATAL_ERROR "nearfar_add_plugin(${name}): ${nearfar_EXACT_PROBLEM}")
  endif()
  add_library(plugin_${name} MODULE ${ARG_SOURCES})
  target_link_libraries(plugin_${name} PRIVATE nearfar::sdk)
  if(NOT ARG_OUTPUT_DIRECTORY AND EXISTS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/nearfarConfig.cmake")  # installed
    set(ARG_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/plugins")
  elseif(NOT ARG_OUTPUT_DIRECTORY)
    set(ARG_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/nearfar/plugins")
    set_property(GLOBAL APPEND PROPERTY NEARFAR_PLUGIN_TARGETS plugin_${name})
  endif()
  get_target_property(sdk_hash nearfar::sdk NEARFAR_SDK_HASH)
  nearfar_quoted_includes(files ${ARG_SOURCES} ${ARG_HEADERS})
  nearfar_files_hash(source_hash ${files})
  string(SHA256 source_hash "${source_hash} ${sdk_hash}")
  string(SUBSTRING "${source_hash}" 0 32 source_hash)
  target_compile_definitions(plugin_${name} PRIVATE NEARFAR_SOURCE_HASH="${source_hash}")
  set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME "${name}" LIBRARY_OUTPUT_DIRECTORY "${ARG_OUTPUT_DIRECTORY}"
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    SKIP_BUILD_RPATH ON LINK_DEPENDS "${NEARFAR_PLUGIN_MAP}")
  target_link_options(plugin_${name} PRIVATE "-Wl,--version-script=${NEARFAR_PLUGIN_MAP}" -Wl,-z,nodelete -Wl,-z,defs -Wl,-z,now)
  if(COMMAND nearfar_warnings)
    nearfar_warnings(plugin_${name})
  endif()
endfunction()
