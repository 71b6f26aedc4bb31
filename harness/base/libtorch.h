#pragma once
/// Which LibTorch the engine is started with. The program itself runs without one; whoever starts the engine looks here
/// first, so that a missing or a wrong LibTorch is told as such and not as what the dynamic linker makes of it.
/// Reads the environment and a few files at each call; safe from any thread that does not change the environment.
#include <filesystem>
#include <string>

namespace nearfar {

/// The folder with lib/libtorch_cpu.so: $NEARFAR_TORCH_DIR, else fetched()/torch, else PREFIX/lib/nearfar/torch
/// (locations.h); absolute. Error(internal) if it is not there, or of another version than the engine was built with,
/// as far as its header or version.py tells: what was found, where, and what to do.
std::filesystem::path libtorch();

/// LD_LIBRARY_PATH of an engine: libtorch()/lib, then what the variable holds already. With $NEARFAR_ENGINE, which
/// finds a LibTorch of its own, only the latter. Throws as libtorch() does.
std::string engine_library_path();

}  // namespace nearfar
