#include "host/elf.h"

#include "library_copy.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace nearfar {
namespace {

using testing::good_plugin;
using testing::patched;
using testing::write;

PluginFault fault_of(const std::filesystem::path& file) {
  const auto read = read_elf(file);
  const auto* fault = std::get_if<PluginFault>(&read);
  EXPECT_NE(fault, nullptr) << file << " is read as a library";
  return fault != nullptr ? *fault : PluginFault{};
}

/// The fault of a plugin with `value` written over the bytes at `offset`.
template <class T>
std::string found_with(std::size_t offset, T value) {
  const TempDir folder;
  std::string content = read_file(good_plugin("msp"));
  std::memcpy(content.data() + offset, &value, sizeof value);
  write(folder.path() / "changed.so", content);
  return fault_of(folder.path() / "changed.so").found;
}

TEST(Elf, ReadsWhatReadelfShows) {
  const auto read = read_elf(good_plugin("msp"));
  ASSERT_TRUE(std::holds_alternative<ElfFile>(read)) << std::get<PluginFault>(read).text();
  const auto& elf = std::get<ElfFile>(read);
  ASSERT_EQ(elf.notes.size(), 1u);
  EXPECT_TRUE(elf.notes[0].starts_with("note=1"));
  EXPECT_NE(std::ranges::find(elf.needed, "libtorch_cpu.so"), elf.needed.end());
  EXPECT_EQ(elf.exports, (std::vector<ElfSymbol>{{.name = "nearfar_plugin_info", .function = true}}));
  // Every C++ library takes operator delete, in the version that GCC 3.4 gave it.
  const auto taken = std::ranges::find(elf.undefined, "_ZdlPvm", &ElfSymbol::name);
  ASSERT_NE(taken, elf.undefined.end());
  EXPECT_EQ(taken->version, "CXXABI_1.3.9");
  EXPECT_TRUE(elf.binds_now);
  EXPECT_TRUE(elf.stays_loaded);
  EXPECT_FALSE(elf.executable_stack);
  EXPECT_FALSE(elf.text_relocations);
  EXPECT_EQ(elf.run_path, "");
}

TEST(Elf, RefusesWhatIsNoRegularFileWithoutWaiting) {
  const TempDir folder;
  const auto path = [&](const char* name) { return folder.path() / name; };
  std::filesystem::create_symlink("two.so", path("one.so"));
  std::filesystem::create_symlink("one.so", path("two.so"));
  std::filesystem::create_symlink("nowhere.so", path("dangling.so"));
  ASSERT_EQ(::mkfifo(path("pipe.so").c_str(), 0600), 0);
  write(path("empty.so"), "");
  EXPECT_EQ(fault_of(path("one.so")).found, "is a loop of symbolic links");
  EXPECT_EQ(fault_of(path("dangling.so")).found, "no such file: it is a symbolic link that leads nowhere");
  EXPECT_EQ(fault_of(path("pipe.so")).found, "is a pipe");
  EXPECT_EQ(fault_of("/dev/zero").found, "is a device");
  EXPECT_EQ(fault_of(folder.path()).found, "is a folder");
  EXPECT_EQ(fault_of(path("empty.so")).found, "is empty");
  EXPECT_EQ(fault_of(path("missing.so")).found, "no such file");
  write(path("text.so"), "just text");
  EXPECT_EQ(fault_of(path("text.so")).found, "is not an ELF library");
}

TEST(Elf, RefusesOtherMachinesAndKinds) {
  EXPECT_EQ(found_with(EI_CLASS, char{ELFCLASS32}), "is not a 64-bit library");
  EXPECT_EQ(found_with(EI_DATA, char{ELFDATA2MSB}), "is of a big-endian machine");
  EXPECT_EQ(found_with(offsetof(Elf64_Ehdr, e_machine), Elf64_Half{EM_RISCV}), "is made for RISC-V");
  EXPECT_EQ(found_with(offsetof(Elf64_Ehdr, e_type), Elf64_Half{ET_REL}), "is an object file");
  EXPECT_EQ(fault_of("/proc/self/exe").found, "is a program");
}

TEST(Elf, RefusesCountsAndOffsetsThatCannotBe) {
  EXPECT_EQ(found_with(offsetof(Elf64_Ehdr, e_phnum), Elf64_Half{65535}),
            "has damaged ELF headers: 65535 program headers");
  EXPECT_NE(found_with(offsetof(Elf64_Ehdr, e_phoff), Elf64_Off{0xffffffffffffff00}).find("is truncated"),
            std::string::npos);
  EXPECT_NE(found_with(offsetof(Elf64_Ehdr, e_shoff), Elf64_Off{0xffffffffffffff00}).find("is truncated"),
            std::string::npos);
}

/// Three kilobytes that a linker made: small enough to try every byte.
std::filesystem::path small_library() { return testing::source_dir() / "tests/fuzz/seeds/elf_fuzz/mold.so"; }

TEST(Elf, RefusesEveryTruncation) {
  const auto refuses = [](const std::filesystem::path& library, std::size_t step) {
    const TempDir folder;
    const std::string whole = read_file(library);
    const std::filesystem::path cut = folder.path() / "cut.so";
    write(cut, whole);
    ASSERT_TRUE(std::holds_alternative<ElfFile>(read_elf(cut)));
    for (std::size_t length = whole.size(); length-- > 0;) {
      if (length % step != 0) continue;
      std::filesystem::resize_file(cut, length);
      ASSERT_TRUE(std::holds_alternative<PluginFault>(read_elf(cut))) << "cut at " << length << " of " << whole.size();
    }
  };
  refuses(small_library(), 1);
  refuses(good_plugin("msp"), 101);
}

// What a flipped bit makes of it is read or refused: nothing else, and soon. The sanitizer build looks closer.
TEST(Elf, SurvivesFlippedBits) {
  const TempDir folder;
  const std::string whole = read_file(small_library());
  const std::filesystem::path file = folder.path() / "flipped.so";
  write(file, whole);
  std::fstream open(file, std::ios::binary | std::ios::in | std::ios::out);  // to write in place: quick
  const auto put = [&](std::size_t at, char one) {
    open.seekp(static_cast<std::streamoff>(at)).put(one).flush();
    ASSERT_TRUE(open);
  };
  std::mt19937 random(5);
  std::size_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    put(at, static_cast<char>(whole[at] ^ (1 << (random() % 8))));
    refused += std::holds_alternative<PluginFault>(read_elf(file)) ? 1 : 0;
    put(at, whole[at]);
  }
  ASSERT_TRUE(std::holds_alternative<ElfFile>(read_elf(file)));
  EXPECT_GT(refused, 100u);
  EXPECT_LT(refused, whole.size() / 2);  // most bytes are code, names and padding
}

}  // namespace
}  // namespace nearfar
