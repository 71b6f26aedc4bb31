# What is installed: the product and what plugins are built with; no test. The layout is base/locations.h's and the same under any prefix, so
# GNUInstallDirs has no say. Nothing installed holds an absolute path: tests/package looks.
include(CMakePackageConfigHelpers)

# Debian's libraries lie in lib/nearfar/bundled in what ./run package makes; elsewhere the folder is missing and the system's are taken.
set_target_properties(nearfar PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/nearfar/bundled")
set_target_properties(nearfar-engine PROPERTIES INSTALL_RPATH "$ORIGIN/../../lib/nearfar/bundled:$ORIGIN/../../lib/nearfar/torch/lib")
install(TARGETS nearfar RUNTIME DESTINATION bin)
install(TARGETS nearfar-engine RUNTIME DESTINATION libexec/nearfar)
get_property(_plugins GLOBAL PROPERTY NEARFAR_PLUGIN_TARGETS)
install(TARGETS ${_plugins} LIBRARY DESTINATION lib/nearfar/plugins)
install(TARGETS nearfar_fake LIBRARY DESTINATION lib/nearfar)  # the accelerator of `plugin check`
if(NEARFAR_CUDA)
  install(TARGETS nearfar_cuda LIBRARY DESTINATION lib/nearfar)
endif()
install(PROGRAMS tools/fetch_libtorch DESTINATION libexec/nearfar)
install(FILES tools/wheels.sh DESTINATION libexec/nearfar)

foreach(_folder man bash-completion zsh fish)  # harness/cli has the program write them
  install(DIRECTORY "${PROJECT_BINARY_DIR}/share/${_folder}" DESTINATION share)
endforeach()
install(DIRECTORY configs reports DESTINATION share/nearfar)
install(FILES README.md LICENSE THIRD_PARTY.md CHANGELOG.md DESTINATION share/doc/nearfar)
install(DIRECTORY docs DESTINATION share/doc/nearfar)

install(DIRECTORY harness/sdk/nearfar DESTINATION include FILES_MATCHING PATTERN "*.h")
file(GLOB _maps CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/*plugin.map")
string(REGEX REPLACE "[.].*" "" NEARFAR_COMPILER_TAG "${CMAKE_CXX_COMPILER_ID}-${CMAKE_CXX_COMPILER_VERSION}")
configure_file(cmake/nearfarConfig.cmake.in "${PROJECT_BINARY_DIR}/package/nearfarConfig.cmake" @ONLY)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/nearfarConfigVersion.cmake" COMPATIBILITY SameMajorVersion)
install(FILES "${PROJECT_BINARY_DIR}/package/nearfarConfig.cmake" "${PROJECT_BINARY_DIR}/package/nearfarConfigVersion.cmake" cmake/nearfarTargets.cmake
  cmake/NearfarPlugin.cmake cmake/FindLibTorch.cmake ${_maps} DESTINATION lib/cmake/nearfar)
