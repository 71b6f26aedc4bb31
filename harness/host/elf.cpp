#include "host/elf.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <fstream>

namespace nearfar {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
#else
#error "add this machine's ELF number"
#endif

template <class T>
bool read_at(std::istream& stream, std::uint64_t offset, T& value) {
  stream.seekg(static_cast<std::streamoff>(offset));
  return static_cast<bool>(stream.read(reinterpret_cast<char*>(&value), sizeof value));
}

}  // namespace

std::string elf_fault(const std::filesystem::path& file) {
  std::error_code failure;
  if (!std::filesystem::is_regular_file(file, failure)) return "no such file";
  const std::uintmax_t size = std::filesystem::file_size(file, failure);
  std::ifstream stream(file, std::ios::binary);
  if (failure || !stream) return "cannot be opened";
  Elf64_Ehdr header{};
  const bool whole = read_at(stream, 0, header);
  if (!whole || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "is not an ELF library";
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN || header.e_machine != kMachine) {
    return fmt::format("is not a 64-bit shared library of this machine (ELF type {}, machine {})", header.e_type,
                       header.e_machine);
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return "has damaged ELF headers";
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (!read_at(stream, header.e_phoff + i * sizeof segment, segment))
      return fmt::format("is truncated at {} bytes", size);
    if (segment.p_type == PT_LOAD && (segment.p_offset > size || segment.p_filesz > size - segment.p_offset)) {
      return fmt::format("is truncated: {} bytes, its segments end at {}", size, segment.p_offset + segment.p_filesz);
    }
  }
  // The section table comes last in a file; nothing needs it at run time, but where it is missing the copy was cut
  // short.
  const std::uint64_t sections_end = header.e_shoff + std::uint64_t{header.e_shnum} * header.e_shentsize;
  if (header.e_shoff > size || sections_end > size)
    return fmt::format("is truncated: {} bytes, its section table ends at {}", size, sections_end);
  return "";
}

}  // namespace nearfar
