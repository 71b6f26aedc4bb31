#pragma once
/// Is a file safe to hand to dlopen()? The dynamic linker maps what the headers say and dies by SIGBUS where a
/// truncated file ends early.
#include <filesystem>
#include <string>

namespace nearfar {

/// What is wrong with `file` as a shared library of this machine, or "". Reads the headers only.
std::string elf_fault(const std::filesystem::path& file);

}  // namespace nearfar
