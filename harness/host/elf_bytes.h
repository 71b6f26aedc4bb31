#pragma once
/// Private to elf.cpp and its parts: bytes of a file that may be damaged, cut short or made to mislead.
#include "host/elf.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace nearfar {

/// Thrown inside the reader only; read_elf() catches it.
struct ElfFaultFound {
  PluginFault fault;
};

[[noreturn]] void damaged(std::string_view what);

/// An open regular file. Throws ElfFaultFound.
class ElfBytes {
 public:
  explicit ElfBytes(const std::filesystem::path& file);
  ~ElfBytes();
  ElfBytes(const ElfBytes&) = delete;
  ElfBytes& operator=(const ElfBytes&) = delete;

  std::uint64_t size() const { return size_; }
  bool holds(std::uint64_t offset, std::uint64_t count) const { return offset <= size_ && count <= size_ - offset; }

  /// A copy of `count` bytes: a fault where the file does not have them (any more).
  std::string bytes(std::uint64_t offset, std::uint64_t count, std::string_view what) const;

  template <class T>
  T value(std::uint64_t offset, std::string_view what) const {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::string copied = bytes(offset, sizeof(T), what);
    T result;
    std::memcpy(&result, copied.data(), sizeof result);
    return result;
  }

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// Element `index` of an array that was copied by bytes(); the caller keeps to its length.
template <class T>
T element(std::string_view array, std::uint64_t index) {
  T result;
  std::memcpy(&result, array.data() + index * sizeof(T), sizeof result);
  return result;
}

}  // namespace nearfar
