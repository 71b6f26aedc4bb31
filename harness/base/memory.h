#pragma once
/// How much memory this process may have. Safe from any thread.
#include <cstdint>
#include <filesystem>

namespace nearfar {

/// Bytes: of the machine, or of the smallest limit of the control groups that the process is in (versions 1 and 2).
/// `root`: where /proc and /sys are looked for; for tests.
std::int64_t memory_limit(const std::filesystem::path& root = "/");

}  // namespace nearfar
