#pragma once
/// What a shared library says of itself, read from its file without loading it. Torch-free (library
/// nearfar::host_text); the parent and the engine use it before dlopen(), which would run the library's code and dies
/// by SIGBUS where a file ends early. Nothing in the file is trusted: every offset is checked against the file's size,
/// every count against a limit, and bytes are copied by pread(), never mapped. Safe from any thread.
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace nearfar {

/// Why a library is not taken, as three phrases: "torch is '2.9.0'", "this host has '2.11.0'", "rebuild it".
struct PluginFault {
  std::string found, wanted, fix;

  std::string text() const;  ///< "found; wanted; fix"
};

struct ElfSymbol {
  std::string name = {};
  std::string version = {};  ///< of what is undefined: "GLIBC_2.34"; else ""
  bool weak = false;
  bool function = false;

  bool operator==(const ElfSymbol&) const = default;
};

struct ElfFile {
  std::vector<std::string> notes = {};    ///< descriptors of the notes of owner "nearfar" and type 1 (nearfar/note.h)
  std::vector<std::string> needed = {};   ///< libraries, as the dynamic linker will look for them
  std::string run_path = {};              ///< RUNPATH, else RPATH
  std::vector<ElfSymbol> exports = {};    ///< what others can find in it, in the order of its table
  std::vector<ElfSymbol> undefined = {};  ///< what it takes from others
  bool executable_stack = false;
  bool text_relocations = false;  ///< the dynamic linker would write into its code
  bool binds_now = false;         ///< all symbols are looked up at load
  bool stays_loaded = false;      ///< -z nodelete
};

/// `file` as a whole 64-bit shared library of this machine, or why it is none. Folders, pipes and loops of symbolic
/// links are faults, and are never waited for.
std::variant<ElfFile, PluginFault> read_elf(const std::filesystem::path& file);

}  // namespace nearfar
