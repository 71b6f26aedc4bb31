# nearfar_library(NAME SOURCES … [PUBLIC libs…] [PRIVATE libs…]): one harness folder = one static library, nearfar::NAME.
include(warnings)
function(nearfar_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(nearfar_${name} STATIC ${ARG_SOURCES})
  add_library(nearfar::${name} ALIAS nearfar_${name})
  target_include_directories(nearfar_${name} PUBLIC "${PROJECT_SOURCE_DIR}/harness")
  target_link_libraries(nearfar_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  nearfar_warnings(nearfar_${name})
endfunction()

# nearfar_test(NAME LABELS … SOURCES … LIBS … [ONE_ENTRY]): a GoogleTest program. ONE_ENTRY makes it a single CTest entry, for programs that
# link LibTorch: its start costs 0.27 s a process, so discovery of every case would cost more than the cases.
include(GoogleTest)
function(nearfar_test name)
  cmake_parse_arguments(ARG "ONE_ENTRY" "" "LABELS;SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} nearfar::test_support GTest::gtest GTest::gtest_main)
  nearfar_warnings(${name})
  # mold 1.10 may put a program's read-only end outside what it loads (a lone thread_local bool does that): then it does not start.
  target_link_options(${name} PRIVATE -Wl,-z,norelro)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${name} PRIVATE -O1)  # a quarter less time to compile; what is tested is -O2
  endif()
  set(environment "OMP_NUM_THREADS=1;OMP_WAIT_POLICY=passive;NEARFAR_CACHE=${CMAKE_BINARY_DIR}/test_cache")
  if(ARG_ONE_ENTRY)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" ENVIRONMENT "${environment}" SKIP_REGULAR_EXPRESSION "SKIPPED: whole program")
  else()
    gtest_discover_tests(${name} PROPERTIES LABELS "${ARG_LABELS}" ENVIRONMENT "${environment}" DISCOVERY_TIMEOUT 60)
  endif()
endfunction()
