nearfar_bench(mds_bench LIBS nearfar::host)
target_compile_definitions(mds_bench PRIVATE NEARFAR_PLUGIN_DIR="${CMAKE_BINARY_DIR}/lib/nearfar/plugins")
add_dependencies(mds_bench plugin_mds)
