#pragma once
/// The note that a plugin carries in its file, so that the host knows what it is before any of its code runs. std only.
///
/// An ELF note in section ".note.nearfar": owner "nearfar", type 1, and as descriptor NUL-terminated strings
/// "key=value" in UTF-8, at most 64 KiB, "note=1" first. The keys, in this order:
///   tier       exact, stable or c
///   kind       postprocessor or loss
///   name, version, summary, reference
///   api        tier exact: NEARFAR_API_VERSION            abi    tiers stable and c: 1
///   torch      exact: the LibTorch it is built with; stable: the oldest LibTorch it is built for, "2.11"
///   cxx_abi, compiler, standard, and of tier exact sdk: as BuildTag
///   source     hash of the sources (NEARFAR_SOURCE_HASH)
///   needs      bits of nearfar::Need, decimal
///   param      one for each parameter: NAME TYPE DEFAULT MIN MAX CHOICES HELP, separated by tabs. TYPE is boolean,
///              integer, number, text or file; numbers are the 16 hex digits of the bits of an IEEE-754 double, the
///              default of a text or file is its text
/// A note written by hand may leave out summary, reference, compiler, source, needs and param. Readers skip keys that
/// they do not know.
///
/// The macros of plugin.h make it. By hand, at namespace scope:
///   namespace { NEARFAR_NOTE_SECTION constexpr auto note = nearfar::make_note<[](nearfar::NoteWriter& to) { … }>(); }
#include <nearfar/plugin_text.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

/// Puts an object where the linker makes a PT_NOTE segment of it, and keeps it though nothing refers to it.
#define NEARFAR_NOTE_SECTION __attribute__((section(".note.nearfar"), used, retain, aligned(4)))

namespace nearfar {

inline constexpr std::string_view kNoteOwner{"nearfar\0", 8};  ///< with its NUL, as in the file
inline constexpr std::uint32_t kNoteType = 1;
inline constexpr std::size_t kNoteLimit = 65536;  ///< bytes of the descriptor
inline constexpr std::string_view kParamTypeNames[] = {"boolean", "integer", "number", "text",
                                                       "file"};  ///< by ParamType

/// Writes the strings of a descriptor, or only counts their bytes.
class NoteWriter {
 public:
  constexpr NoteWriter() = default;
  /// `to` has room for all that will be written.
  constexpr explicit NoteWriter(char* to) : to_(to) {}

  constexpr std::size_t size() const { return size_; }

  constexpr void text(std::string_view key, std::string_view value) {
    begin(key);
    put(value);
    end();
  }
  constexpr void number(std::string_view key, std::uint64_t value) {
    begin(key);
    put_decimal(value);
    end();
  }
  /// A tab or a line break in a text does not compile: it would be read as another column.
  constexpr void params(const ParamTable& table) {
    for (std::size_t i = 0; i < table.size; ++i) param(table.rows[i]);
  }

 private:
  constexpr void param(const Param& row) {
    const bool textual = row.type == ParamType::text || row.type == ParamType::file;
    begin("param");
    column(row.name);
    column(kParamTypeNames[static_cast<std::size_t>(row.type)]);
    if (textual) {
      column(row.default_text);
    } else {
      column(row.default_number);
    }
    column(row.minimum);
    column(row.maximum);
    column(row.choices);
    printable(row.help);
    put(row.help);
    end();
  }

  constexpr void column(std::string_view value) {
    printable(value);
    put(value);
    put("\t");
  }
  constexpr void column(double value) {
    static_assert(std::numeric_limits<double>::is_iec559);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int shift = 60; shift >= 0; shift -= 4)
      put(std::string_view("0123456789abcdef").substr((bits >> shift) & 15, 1));
    put("\t");
  }
  static constexpr void printable(std::string_view value) {
    if (value.find_first_of("\t\n\r") != std::string_view::npos)
      throw "a text of the parameter table has a tab or a line break: use a space";
  }

  constexpr void begin(std::string_view key) {
    put(key);
    put("=");
  }
  constexpr void end() { put(std::string_view("\0", 1)); }
  constexpr void put_decimal(std::uint64_t value) {
    if (value >= 10) put_decimal(value / 10);
    put(std::string_view("0123456789").substr(value % 10, 1));
  }
  constexpr void put(std::string_view piece) {
    for (const char one : piece) {
      if (to_ != nullptr) to_[size_] = one;
      ++size_;
    }
  }

  char* to_ = nullptr;
  std::size_t size_ = 0;
};

/// The keys that every tier has: first these, then the tier's own, then write_note_end().
constexpr void write_note_begin(NoteWriter& note, std::string_view tier, PluginKind kind, const PluginText& plugin) {
  note.number("note", 1);
  note.text("tier", tier);
  note.text("kind", kind == PluginKind::loss ? "loss" : "postprocessor");
  note.text("name", plugin.name);
  note.text("version", plugin.version);
  note.text("summary", plugin.summary);
  note.text("reference", plugin.reference);
}
constexpr void write_note_end(NoteWriter& note, const PluginText& plugin, std::string_view source) {
  note.text("source", source);
  note.number("needs", plugin.needs);
  note.params(plugin.params);
}

/// The note as it lies in the file.
template <std::size_t Size>
struct Note {
  std::uint32_t owner_size = kNoteOwner.size();
  std::uint32_t descriptor_size = Size;
  std::uint32_t type = kNoteType;
  char owner[kNoteOwner.size()] = {'n', 'e', 'a', 'r', 'f', 'a', 'r', '\0'};
  char descriptor[(Size + 3) / 4 * 4] = {};
};

/// The note that `Write`, a function or captureless lambda of a NoteWriter&, writes. All of it happens in the compiler.
template <auto Write>
consteval auto make_note() {
  constexpr std::size_t size = [] {
    NoteWriter counter;
    Write(counter);
    return counter.size();
  }();
  static_assert(size <= kNoteLimit, "the plugin's note has more than 64 KiB: shorten the help of its parameters");
  Note<size> note;
  NoteWriter writer(note.descriptor);
  Write(writer);
  return note;
}

}  // namespace nearfar
