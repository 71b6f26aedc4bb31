# What a plugin links, of the headers in NEARFAR_SDK_INCLUDE/nearfar. Included by harness/sdk and by an installed nearfarConfig.cmake, after LibTorch
# was looked for and after NearfarPlugin.cmake: in-tree and installed are the same targets with the same hash.
#   nearfar::sdk_core  the std-only headers (error, params), for torch-free folders
#   nearfar::sdk_c     the headers for plugins without LibTorch
#   nearfar::sdk       all headers, LibTorch and the build tag; only where LibTorch was found
include_guard(GLOBAL)
file(GLOB _headers CONFIGURE_DEPENDS "${NEARFAR_SDK_INCLUDE}/nearfar/*.h")  # all of them, by name: what a plugin may include is hashed
nearfar_files_hash(_sdk_hash ${_headers})
string(SUBSTRING "${_sdk_hash}" 0 16 _sdk_hash)

foreach(_target sdk_core sdk_c sdk)
  if(_target STREQUAL "sdk" AND NOT LibTorch_FOUND)
    continue()
  endif()
  add_library(nearfar_${_target} INTERFACE)
  add_library(nearfar::${_target} ALIAS nearfar_${_target})
  set_target_properties(nearfar_${_target} PROPERTIES NEARFAR_SDK_HASH "${_sdk_hash}")
endforeach()
target_include_directories(nearfar_sdk_core INTERFACE "${NEARFAR_SDK_INCLUDE}")
target_link_libraries(nearfar_sdk_c INTERFACE nearfar_sdk_core)

if(LibTorch_FOUND)
  target_link_libraries(nearfar_sdk INTERFACE nearfar_sdk_core LibTorch::LibTorch)
  target_compile_definitions(nearfar_sdk INTERFACE NEARFAR_SDK_HASH="${_sdk_hash}" NEARFAR_TORCH_VERSION="${LibTorch_VERSION}")
endif()
