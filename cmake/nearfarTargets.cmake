# What a plugin links, of the headers in NEARFAR_SDK_INCLUDE/nearfar. Included by harness/sdk and by an installed nearfarConfig.cmake, after LibTorch
# was looked for and after NearfarPlugin.cmake: in-tree and installed are the same targets with the same hash.
#   nearfar::sdk_core  the std-only headers (error, params), for torch-free folders
#   nearfar::sdk_c     the headers for plugins without LibTorch
#   nearfar::sdk_stable  the same headers over LibTorch's stable C shim: <ATen/…> is ours there (nearfar/stable), so that a plugin's source is the same
#                      for both tiers; of LibTorch only the folder torch/ can be included
#   nearfar::sdk       all headers and LibTorch; only where LibTorch was found
# The headers' hash is their property NEARFAR_SDK_HASH: the macro of that name goes to plugins (nearfar_add_plugin()) and to the host's file that compares
# it, and nowhere else, or one changed comment would compile everything anew.
include_guard(GLOBAL)
file(GLOB _headers CONFIGURE_DEPENDS "${NEARFAR_SDK_INCLUDE}/nearfar/*.h" "${NEARFAR_SDK_INCLUDE}/nearfar/stable/*.h")  # all of them, by name: what a plugin may include is hashed
nearfar_files_hash(_sdk_hash ${_headers})
string(SUBSTRING "${_sdk_hash}" 0 16 _sdk_hash)

foreach(_target sdk_core sdk_c sdk sdk_stable)
  if(_target MATCHES "^(sdk|sdk_stable)$" AND NOT LibTorch_FOUND)
    continue()
  endif()
  add_library(nearfar_${_target} INTERFACE)
  add_library(nearfar::${_target} ALIAS nearfar_${_target})
  set_target_properties(nearfar_${_target} PROPERTIES NEARFAR_SDK_HASH "${_sdk_hash}")
endforeach()
target_include_directories(nearfar_sdk_core INTERFACE "${NEARFAR_SDK_INCLUDE}")
target_link_libraries(nearfar_sdk_c INTERFACE nearfar_sdk_core m)

if(LibTorch_FOUND)
  target_link_libraries(nearfar_sdk INTERFACE nearfar_sdk_core LibTorch::LibTorch)
  target_compile_definitions(nearfar_sdk INTERFACE NEARFAR_TORCH_VERSION="${LibTorch_VERSION}")

  set(_stable "${CMAKE_BINARY_DIR}/nearfar-stable-include")
  foreach(_header core/Tensor Parallel ops/addmm ops/arange ops/cat ops/cross_entropy_loss ops/empty ops/empty_like ops/eye ops/from_blob ops/full
      ops/full_like ops/linalg_eigh ops/linalg_pinv ops/log_softmax ops/logaddexp ops/matmul ops/maximum ops/minimum ops/mm ops/ones ops/ones_like
      ops/searchsorted ops/softmax ops/stack ops/threshold ops/where ops/zeros ops/zeros_like)
    file(CONFIGURE OUTPUT "${_stable}/ATen/${_header}.h" CONTENT "#include <nearfar/stable/tensor.h>\n")
  endforeach()
  file(MAKE_DIRECTORY "${_stable}-torch")
  file(CREATE_LINK "${LibTorch_RAW_INCLUDE_DIR}/torch" "${_stable}-torch/torch" SYMBOLIC)
  target_link_libraries(nearfar_sdk_stable INTERFACE nearfar_sdk_core LibTorch::stable)
  target_include_directories(nearfar_sdk_stable INTERFACE "${_stable}")
  target_include_directories(nearfar_sdk_stable SYSTEM INTERFACE "${_stable}-torch")
  target_compile_definitions(nearfar_sdk_stable INTERFACE NEARFAR_STABLE=1 TORCH_TARGET_VERSION=0x020b000000000000)
endif()
