nearfar_bench(train_timer LIBS nearfar::device nearfar::host nearfar::models nearfar::train nearfar::base)
target_sources(train_timer PRIVATE "${PROJECT_SOURCE_DIR}/tools/gpu_check/step_bench.cpp")
target_include_directories(train_timer PRIVATE "${PROJECT_SOURCE_DIR}/tools/gpu_check")
