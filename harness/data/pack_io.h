#pragma once
/// Files that packed copies are written through. Everything that fails is Error(data) naming the file; of a full disk
/// with what to do. Torch-free.
#include "base/descriptor.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace nearfar {

[[noreturn]] void fail_io(const std::filesystem::path& file, std::string_view what, int error);
int open_to_write(const std::filesystem::path& file);
void write_at(int descriptor, const std::filesystem::path& file, std::span<const std::byte> bytes, std::int64_t offset);
/// How many bytes were there.
std::size_t read_at(int descriptor, const std::filesystem::path& file, std::span<std::byte> bytes, std::int64_t offset);
void sync(int descriptor, const std::filesystem::path& file);
std::int64_t size_of(int descriptor, const std::filesystem::path& file);
void set_size(int descriptor, const std::filesystem::path& file, std::int64_t size);
/// A journal, locked until it is closed. Error(data) if another process has the lock.
Descriptor open_locked(const std::filesystem::path& file);

}  // namespace nearfar
