# LibTorch::LibTorch = the headers, libc10 and libtorch_cpu of an unpacked torch wheel. No CUDA toolkit and no Python are needed.
#
# Looks in NEARFAR_TORCH_DIR (cache or environment; the folder with include/ and lib/), then NEARFAR_FETCHED_TORCH (of an installed nearfar: where its
# own script unpacks), then CMAKE_PREFIX_PATH.
# Why not the wheel's own TorchConfig.cmake: it asks for CUDA, links libtorch_cuda, and puts the wheel's fmt 12 in front of Debian's fmt 9,
# with which spdlog no longer compiles. We expose only the four folders that are LibTorch, through a farm of links.
set(_hints ${NEARFAR_TORCH_DIR} $ENV{NEARFAR_TORCH_DIR} ${NEARFAR_FETCHED_TORCH})
if(NOT NEARFAR_FETCH_LIBTORCH)
  set(NEARFAR_FETCH_LIBTORCH tools/fetch_libtorch)
endif()
find_path(LibTorch_RAW_INCLUDE_DIR ATen/core/Tensor.h HINTS ${_hints} PATH_SUFFIXES include torch/include)
find_library(LibTorch_C10_LIBRARY c10 HINTS ${_hints} PATH_SUFFIXES lib torch/lib)
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS ${_hints} PATH_SUFFIXES lib torch/lib)
mark_as_advanced(LibTorch_RAW_INCLUDE_DIR LibTorch_C10_LIBRARY LibTorch_CPU_LIBRARY)

if(LibTorch_RAW_INCLUDE_DIR)
  file(STRINGS "${LibTorch_RAW_INCLUDE_DIR}/torch/headeronly/version.h" _version REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]" "" _version "${_version}")
  list(JOIN _version "." LibTorch_VERSION)
  set(LibTorch_INCLUDE_DIR "${CMAKE_BINARY_DIR}/libtorch-include")
  file(MAKE_DIRECTORY "${LibTorch_INCLUDE_DIR}")
  foreach(_folder ATen c10 torch caffe2)
    file(CREATE_LINK "${LibTorch_RAW_INCLUDE_DIR}/${_folder}" "${LibTorch_INCLUDE_DIR}/${_folder}" SYMBOLIC)
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_RAW_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "run ${NEARFAR_FETCH_LIBTORCH}, or set NEARFAR_TORCH_DIR to the folder 'torch' of an installed wheel")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${LibTorch_C10_LIBRARY}" IMPORTED_SONAME libc10.so)
  add_library(LibTorch::LibTorch SHARED IMPORTED)
  set_target_properties(LibTorch::LibTorch PROPERTIES
    IMPORTED_LOCATION "${LibTorch_CPU_LIBRARY}" IMPORTED_SONAME libtorch_cpu.so
    INTERFACE_LINK_LIBRARIES LibTorch::c10
    INTERFACE_COMPILE_DEFINITIONS AT_PER_OPERATOR_HEADERS  # else one operator header drags in all of ATen
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include"
    INTERFACE_INCLUDE_DIRECTORIES "${LibTorch_INCLUDE_DIR};${LibTorch_INCLUDE_DIR}/torch/csrc/api/include")
endif()

# LibTorch::stable = the library alone, for those who take its C functions and none of its C++ headers.
if(LibTorch_FOUND AND NOT TARGET LibTorch::stable)
  add_library(LibTorch::stable SHARED IMPORTED)
  set_target_properties(LibTorch::stable PROPERTIES IMPORTED_LOCATION "${LibTorch_CPU_LIBRARY}" IMPORTED_SONAME libtorch_cpu.so)
endif()

# LibTorch::OpenMP = LibTorch's own threads for at::parallel_for in our files: without -fopenmp that is an ordinary loop, and says nothing. The
# library is the one that libtorch_cpu has loaded already; a second one would be a second set of threads.
if(LibTorch_FOUND AND NOT TARGET LibTorch::OpenMP)
  get_filename_component(_folder "${LibTorch_CPU_LIBRARY}" DIRECTORY)
  file(GLOB _openmp "${_folder}/libgomp*.so*")
  add_library(LibTorch::OpenMP INTERFACE IMPORTED)
  if(_openmp)
    list(GET _openmp 0 _openmp)
    set_target_properties(LibTorch::OpenMP PROPERTIES INTERFACE_COMPILE_OPTIONS -fopenmp INTERFACE_LINK_LIBRARIES "${_openmp}")
  else()  # not from a wheel: the system's
    find_package(OpenMP REQUIRED COMPONENTS CXX)
    set_target_properties(LibTorch::OpenMP PROPERTIES INTERFACE_LINK_LIBRARIES OpenMP::OpenMP_CXX)
  endif()
endif()
