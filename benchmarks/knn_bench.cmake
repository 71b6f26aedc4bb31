nearfar_bench(knn_bench LIBS nearfar::host)
target_compile_definitions(knn_bench PRIVATE NEARFAR_PLUGIN_DIR="${CMAKE_BINARY_DIR}/lib/nearfar/plugins")
add_dependencies(knn_bench plugin_knn)
