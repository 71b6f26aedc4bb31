#pragma once
/// What host and plugin must agree on before any C++ object crosses: the API version and the build tag.
/// C++ objects and at::Tensor cross the boundary, so agreement is exact: same LibTorch, same compiler and ABI, same
/// standard, same SDK headers.
#include <cstdint>

/// Raised whenever a header in this folder changes meaning; a golden test over the folder's hash reminds us.
#define NEARFAR_API_VERSION 8

#define NEARFAR_EXPORT __attribute__((visibility("default")))

// nearfar_add_plugin() and the host pass these; a plugin built by hand without them is refused by name.
#ifndef NEARFAR_SDK_HASH
#define NEARFAR_SDK_HASH "unknown"
#endif
#ifndef NEARFAR_TORCH_VERSION
#define NEARFAR_TORCH_VERSION "unknown"
#endif
#ifndef NEARFAR_SOURCE_HASH
#define NEARFAR_SOURCE_HASH "unknown"
#endif

#define NEARFAR_STRINGIFY_(x) #x
#define NEARFAR_STRINGIFY(x) NEARFAR_STRINGIFY_(x)
#if defined(__clang__)
#define NEARFAR_COMPILER "clang-" NEARFAR_STRINGIFY(__clang_major__)
#else
#define NEARFAR_COMPILER "gcc-" NEARFAR_STRINGIFY(__GNUC__)
#endif

namespace nearfar {

/// Plain C strings only, so that it can be read safely from a plugin of any build.
struct BuildTag {
  const char* torch;     ///< LibTorch version, "2.11.0"
  const char* cxx_abi;   ///< _GLIBCXX_USE_CXX11_ABI, "1"
  const char* compiler;  ///< "gcc-12"
  const char* standard;  ///< __cplusplus, "202002L"
  const char* sdk;       ///< hash of the SDK headers
};

/// The tag of the translation unit that includes this header, one in each.
constexpr BuildTag kBuildTag{NEARFAR_TORCH_VERSION, NEARFAR_STRINGIFY(_GLIBCXX_USE_CXX11_ABI), NEARFAR_COMPILER,
                             NEARFAR_STRINGIFY(__cplusplus), NEARFAR_SDK_HASH};

}  // namespace nearfar
