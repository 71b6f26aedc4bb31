#pragma once
/// Private to plugin_file.cpp: what the dynamic linker would find of the libraries and names that a plugin wants.
#include "host/elf.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace nearfar {

/// Of LibTorch or of the C and C++ run time: the engine has it loaded.
bool is_host_library(std::string_view name);

/// Would the dynamic linker find `name`? Loaded in this process, in the plugin's run path, LD_LIBRARY_PATH, the
/// system's folders or its cache. What is found is not opened.
bool library_is_there(const std::string& name, const ElfFile& plugin, const std::filesystem::path& plugin_folder);

/// Is the name, in its version, there for libraries that are loaded into this process?
bool symbol_is_there(const ElfSymbol& symbol);

}  // namespace nearfar
