#include "host/elf.h"

#include "host/elf_bytes.h"

#include <nearfar/note.h>

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace nearfar {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
#else
#error "add this machine's ELF number"
#endif

// Far more than a plugin has, little enough to read at once.
constexpr std::uint64_t kMostSegments = 256;
constexpr std::uint64_t kMostDynamic = 4096;
constexpr std::uint64_t kMostSymbols = 200'000;
constexpr std::uint64_t kMostNotes = 1u << 20;  // bytes
constexpr std::uint64_t kMostVersions = 4096;
constexpr std::uint64_t kMostNames =
    64u << 20;  // bytes of all names together: many entries may name the same long text
constexpr const char* kBuild = "build it for this machine by nearfar_add_plugin()";

std::string machine_name(Elf64_Half machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "AArch64";
    case EM_386:
      return "x86 of 32 bits";
    case EM_ARM:
      return "ARM of 32 bits";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "POWER";
    default:
      return fmt::format("ELF machine {}", machine);
  }
}

void check_header(const Elf64_Ehdr& header) {
  const auto refuse = [](std::string found, std::string wanted) {
    throw ElfFaultFound{{std::move(found), std::move(wanted), kBuild}};
  };
  if (header.e_ident[EI_CLASS] != ELFCLASS64)
    refuse("is not a 64-bit library", fmt::format("expected 64 bits, {}", machine_name(kMachine)));
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) refuse("is of a big-endian machine", "expected little-endian");
  if (header.e_machine != kMachine)
    refuse(fmt::format("is made for {}", machine_name(header.e_machine)),
           fmt::format("this machine is {}", machine_name(kMachine)));
  if (header.e_type != ET_DYN) {
    const char* kind = header.e_type == ET_REL ? "an object file" : header.e_type == ET_EXEC ? "a program" : "";
    refuse(*kind != '\0' ? fmt::format("is {}", kind) : fmt::format("is ELF type {}", header.e_type),
           "expected a shared library");
  }
}

/// One reading: the parts in the order in which each needs the earlier ones.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : file_(path) {}

  ElfFile read() {
    read_header();
    read_segments();
    read_notes();
    read_dynamic();
    read_symbols();
    return std::move(result_);
  }

 private:
  void read_header() {
    if (file_.size() == 0) throw ElfFaultFound{{"is empty", "expected a plugin's library", kBuild}};
    const std::string start = file_.bytes(0, std::min<std::uint64_t>(file_.size(), sizeof header_), "the ELF header");
    if (!start.starts_with(ELFMAG)) throw ElfFaultFound{{"is not an ELF library", "expected a plugin's .so", kBuild}};
    header_ = file_.value<Elf64_Ehdr>(0, "the ELF header");
    check_header(header_);
    if (header_.e_phentsize != sizeof(Elf64_Phdr)) damaged("program headers of another size");
    if (header_.e_phnum > kMostSegments) damaged(fmt::format("{} program headers", header_.e_phnum));
    // The section table comes last in a file; nothing needs it at run time, but where it is missing the copy was cut
    // short.
    const std::uint64_t sections = std::uint64_t{header_.e_shnum} * header_.e_shentsize;
    if (header_.e_shoff != 0 && !file_.holds(header_.e_shoff, sections)) {
      throw ElfFaultFound{{fmt::format("is truncated: {} bytes, its section table has {} bytes at {}", file_.size(),
                                       sections, header_.e_shoff),
                           "expected the whole library", "copy it again"}};
    }
  }

  void read_segments() {
    const std::string table =
        file_.bytes(header_.e_phoff, header_.e_phnum * sizeof(Elf64_Phdr), "the table of segments");
    for (std::uint64_t i = 0; i < header_.e_phnum; ++i) {
      const auto segment = element<Elf64_Phdr>(table, i);
      if (segment.p_type == PT_LOAD && !file_.holds(segment.p_offset, segment.p_filesz)) {
        throw ElfFaultFound{{fmt::format("is truncated: {} bytes, a segment has {} bytes at {}", file_.size(),
                                         segment.p_filesz, segment.p_offset),
                             "expected the whole library", "copy it again"}};
      }
      if (segment.p_type == PT_INTERP) throw ElfFaultFound{{"is a program", "expected a shared library", kBuild}};
      if (segment.p_type == PT_GNU_STACK) result_.executable_stack = (segment.p_flags & PF_X) != 0;
      segments_.push_back(segment);
    }
  }

  void read_notes() {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_NOTE) continue;
      if (segment.p_filesz > kMostNotes) damaged(fmt::format("{} bytes of notes", segment.p_filesz));
      read_notes_of(file_.bytes(segment.p_offset, segment.p_filesz, "the notes"), segment.p_align == 8 ? 8 : 4);
    }
  }

  void read_notes_of(std::string_view notes, std::uint64_t align) {
    const auto padded = [align](std::uint64_t size) { return (size + align - 1) / align * align; };
    while (notes.size() >= sizeof(Elf64_Nhdr)) {
      const auto note = element<Elf64_Nhdr>(notes, 0);
      const std::uint64_t descriptor = padded(sizeof note + std::uint64_t{note.n_namesz});
      if (descriptor > notes.size() || note.n_descsz > notes.size() - descriptor) damaged("a note beyond its segment");
      const std::string_view owner = notes.substr(sizeof note, note.n_namesz);
      if (owner == kNoteOwner && note.n_type == kNoteType) {
        if (note.n_descsz > kNoteLimit) damaged(fmt::format("nearfar's note has {} bytes", note.n_descsz));
        result_.notes.emplace_back(notes.substr(descriptor, note.n_descsz));
      }
      notes.remove_prefix(std::min<std::uint64_t>(padded(descriptor + note.n_descsz), notes.size()));
    }
  }

  /// `count` bytes that will lie at `address` when the library is loaded.
  std::string loaded(std::uint64_t address, std::uint64_t count, std::string_view what) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
      const std::uint64_t within = address - segment.p_vaddr;
      if (within <= segment.p_filesz && count <= segment.p_filesz - within)
        return file_.bytes(segment.p_offset + within, count, what);
    }
    damaged(fmt::format("{} at {:#x} is in no segment", what, address));
  }
  template <class T>
  T loaded_value(std::uint64_t address, std::string_view what) const {
    return element<T>(loaded(address, sizeof(T), what), 0);
  }

  void read_dynamic() {
    const auto segment = std::ranges::find(segments_, Elf64_Word{PT_DYNAMIC}, &Elf64_Phdr::p_type);
    if (segment == segments_.end()) damaged("no dynamic section");
    const std::uint64_t count = segment->p_filesz / sizeof(Elf64_Dyn);
    if (count > kMostDynamic) damaged(fmt::format("{} dynamic entries", count));
    const std::string table = file_.bytes(segment->p_offset, count * sizeof(Elf64_Dyn), "the dynamic section");
    std::vector<std::uint64_t> needed;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto entry = element<Elf64_Dyn>(table, i);
      if (entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_NEEDED) {
        needed.push_back(entry.d_un.d_val);
      } else {
        dynamic_[entry.d_tag] = entry.d_un.d_val;
      }
    }
    read_flags();
    if (!dynamic_.contains(DT_STRTAB) || !dynamic_.contains(DT_STRSZ)) damaged("no table of names");
    names_ = loaded(dynamic_[DT_STRTAB], dynamic_[DT_STRSZ], "the table of names");
    for (const std::uint64_t offset : needed) result_.needed.push_back(name_at(offset));
    for (const Elf64_Sxword tag : {Elf64_Sxword{DT_RPATH}, Elf64_Sxword{DT_RUNPATH}}) {
      if (dynamic_.contains(tag)) result_.run_path = name_at(dynamic_[tag]);
    }
  }

  void read_flags() {
    const std::uint64_t flags = value_of(DT_FLAGS).value_or(0);
    const std::uint64_t more = value_of(DT_FLAGS_1).value_or(0);
    if ((more & DF_1_PIE) != 0) throw ElfFaultFound{{"is a program", "expected a shared library", kBuild}};
    result_.text_relocations = (flags & DF_TEXTREL) != 0 || dynamic_.contains(DT_TEXTREL);
    result_.binds_now = (flags & DF_BIND_NOW) != 0 || (more & DF_1_NOW) != 0 || dynamic_.contains(DT_BIND_NOW);
    result_.stays_loaded = (more & DF_1_NODELETE) != 0;
  }

  std::optional<std::uint64_t> value_of(Elf64_Sxword tag) const {
    const auto found = dynamic_.find(tag);
    return found == dynamic_.end() ? std::nullopt : std::optional(found->second);
  }

  std::string name_at(std::uint64_t offset) {
    const std::size_t end = offset < names_.size() ? names_.find('\0', offset) : std::string::npos;
    if (end == std::string::npos) damaged("a name beyond the table of names");
    named_ += end - offset;
    if (named_ > kMostNames) damaged("names without end");
    return names_.substr(offset, end - offset);
  }

  void read_symbols() {
    const std::uint64_t count = symbol_count();
    if (count == 0) return;
    const std::string table = loaded(dynamic_[DT_SYMTAB], count * sizeof(Elf64_Sym), "the table of symbols");
    const std::map<std::uint64_t, std::string> versions = needed_versions();
    std::string indices;
    if (const auto address = value_of(DT_VERSYM)) indices = loaded(*address, count * 2, "the versions of symbols");
    for (std::uint64_t i = 1; i < count; ++i) {
      const auto symbol = element<Elf64_Sym>(table, i);
      const unsigned binding = ELF64_ST_BIND(symbol.st_info), type = ELF64_ST_TYPE(symbol.st_info);
      if (binding == STB_LOCAL || type == STT_SECTION || type == STT_FILE) continue;
      ElfSymbol found{.name = name_at(symbol.st_name),
                      .weak = binding == STB_WEAK,
                      .function = type == STT_FUNC || type == STT_GNU_IFUNC};
      if (symbol.st_shndx == SHN_UNDEF) {
        const auto version =
            indices.empty() ? versions.end() : versions.find(element<Elf64_Half>(indices, i) & 0x7fffu);
        if (version != versions.end()) found.version = version->second;
        if (!found.name.empty()) result_.undefined.push_back(std::move(found));
      } else if (const unsigned seen = ELF64_ST_VISIBILITY(symbol.st_other);
                 seen == STV_DEFAULT || seen == STV_PROTECTED) {
        result_.exports.push_back(std::move(found));
      }
    }
  }

  /// The dynamic section does not say how many symbols there are. The hash tables know of those that can be found, the
  /// section table of all.
  std::uint64_t symbol_count() const {
    const auto symbols = value_of(DT_SYMTAB);
    if (!symbols) return 0;
    std::uint64_t count = 0;
    if (const auto hash = value_of(DT_HASH)) count = loaded_value<std::uint32_t>(*hash + 4, "the hash table");
    if (const auto hash = value_of(DT_GNU_HASH)) count = std::max(count, gnu_hash_count(*hash));
    if (header_.e_shoff != 0 && header_.e_shentsize == sizeof(Elf64_Shdr)) {
      const std::string table =
          file_.bytes(header_.e_shoff, std::uint64_t{header_.e_shnum} * sizeof(Elf64_Shdr), "the section table");
      for (std::uint64_t i = 0; i < header_.e_shnum; ++i) {
        const auto section = element<Elf64_Shdr>(table, i);
        if (section.sh_type == SHT_DYNSYM && section.sh_addr == *symbols)
          count = std::max(count, section.sh_size / sizeof(Elf64_Sym));
      }
    }
    if (count > kMostSymbols) damaged(fmt::format("{} symbols", count));
    return count;
  }

  /// One past the last symbol of a DT_GNU_HASH table: words nbuckets, first symbol, bloom words, shift; the bloom words
  /// of 8 bytes; the buckets; and for each symbol a word whose lowest bit ends its chain.
  std::uint64_t gnu_hash_count(std::uint64_t address) const {
    const std::string head = loaded(address, 16, "the hash table");
    const std::uint64_t buckets = element<std::uint32_t>(head, 0), first = element<std::uint32_t>(head, 1);
    const std::uint64_t start = address + 16 + std::uint64_t{element<std::uint32_t>(head, 2)} * 8;
    if (buckets > kMostSymbols) damaged(fmt::format("a hash table of {} buckets", buckets));
    const std::string table = loaded(start, buckets * 4, "the hash table");
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < buckets; ++i) last = std::max<std::uint64_t>(last, element<std::uint32_t>(table, i));
    if (last < first) return first;
    while (last < kMostSymbols &&
           (loaded_value<std::uint32_t>(start + buckets * 4 + (last - first) * 4, "the hash table") & 1) == 0)
      ++last;
    return last + 1;
  }

  /// Index to version, of the versions that the library wants of others.
  std::map<std::uint64_t, std::string> needed_versions() {
    std::map<std::uint64_t, std::string> versions;
    const auto table = value_of(DT_VERNEED);
    std::uint64_t address = table.value_or(0), read = 0;
    const std::uint64_t files = table ? value_of(DT_VERNEEDNUM).value_or(0) : 0;
    for (std::uint64_t i = 0; i < files; ++i) {
      const auto of_file = loaded_value<Elf64_Verneed>(address, "the needed versions");
      std::uint64_t at = address + of_file.vn_aux;
      for (unsigned j = 0; j < of_file.vn_cnt; ++j) {
        if (++read > kMostVersions) damaged("thousands of needed versions");
        const auto version = loaded_value<Elf64_Vernaux>(at, "the needed versions");
        versions[version.vna_other & 0x7fffu] = name_at(version.vna_name);
        if (version.vna_next == 0) break;
        at += version.vna_next;
      }
      if (of_file.vn_next == 0) break;
      if (++read > kMostVersions) damaged("thousands of needed versions");
      address += of_file.vn_next;
    }
    return versions;
  }

  ElfBytes file_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::map<Elf64_Sxword, std::uint64_t> dynamic_;
  std::string names_;
  std::uint64_t named_ = 0;  // bytes that name_at() has given
  ElfFile result_;
};

}  // namespace

std::string PluginFault::text() const { return fmt::format("{}; {}; {}", found, wanted, fix); }

std::variant<ElfFile, PluginFault> read_elf(const std::filesystem::path& file) {
  try {
    return Reader(file).read();
  } catch (const ElfFaultFound& found) {
    return found.fault;
  }
}

}  // namespace nearfar
