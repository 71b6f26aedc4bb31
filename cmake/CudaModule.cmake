# What libnearfar_cuda.so is built with: nvcc, cudart and libc10_cuda of wheels (tools/fetch_cuda puts them beside LibTorch), or a CUDA 13 toolkit.
# nvcc is called by name, not as a language of CMake, which would want a whole toolkit.
get_filename_component(_torch_lib "${LibTorch_C10_LIBRARY}" DIRECTORY)
set(_wheels "${_torch_lib}/../../nvidia/cu13")
if(NOT EXISTS "${_wheels}/bin/nvcc")  # a LibTorch of one's own
  set(_wheels "${PROJECT_SOURCE_DIR}/.deps/nvidia/cu13")
  if(DEFINED ENV{NEARFAR_DEPS})
    set(_wheels "$ENV{NEARFAR_DEPS}/nvidia/cu13")
  endif()
endif()
get_filename_component(_wheels "${_wheels}" ABSOLUTE)
find_program(NEARFAR_NVCC nvcc HINTS "${_wheels}/bin" ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
get_filename_component(_toolkit "${NEARFAR_NVCC}/../.." ABSOLUTE)
find_path(NEARFAR_CUDA_INCLUDE cuda_runtime_api.h HINTS "${_toolkit}/include" NO_DEFAULT_PATH)
find_library(NEARFAR_CUDART NAMES libcudart.so.13 HINTS "${_wheels}/lib" "${_toolkit}/lib64" NO_DEFAULT_PATH)
find_library(NEARFAR_C10_CUDA NAMES c10_cuda HINTS "${_torch_lib}" NO_DEFAULT_PATH)
foreach(_part NVCC CUDA_INCLUDE CUDART C10_CUDA)
  if(NOT NEARFAR_${_part})
    message(FATAL_ERROR "NEARFAR_CUDA=ON: NEARFAR_${_part} not found near ${_wheels} and ${_torch_lib}; fetch it with tools/fetch_cuda build, or ./run build cuda")
  endif()
endforeach()
mark_as_advanced(NEARFAR_NVCC NEARFAR_CUDA_INCLUDE NEARFAR_CUDART NEARFAR_C10_CUDA)

# Turing, Ampere (and Ada), Hopper; later GPUs translate the last one's PTX once.
set(NEARFAR_CUDA_CODE -gencode arch=compute_75,code=sm_75 -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=[sm_90,compute_90])

# nearfar_cuda_object(VARIABLE SOURCE): compiles a .cu into the object file VARIABLE names.
function(nearfar_cuda_object variable source)
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${source}.o")
  get_filename_component(source "${source}" ABSOLUTE)
  add_custom_command(OUTPUT "${object}"
    COMMAND "${NEARFAR_NVCC}" -std=c++20 -O3 -fmad=false --expt-relaxed-constexpr ${NEARFAR_CUDA_CODE} -ccbin "${CMAKE_CXX_COMPILER}"
      -Xcompiler -fPIC,-fvisibility=hidden,-ffp-contract=off,-Wall,-Wextra "-I${PROJECT_SOURCE_DIR}/harness" -MD -MF "${object}.d" -c "${source}" -o "${object}"
    DEPENDS "${source}" DEPFILE "${object}.d" COMMENT "Building CUDA object ${object}" VERBATIM COMMAND_EXPAND_LISTS)
  set(${variable} "${object}" PARENT_SCOPE)
endfunction()
