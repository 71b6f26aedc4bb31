#pragma once
/// The end of a cell's log. The database says where it is, and a database may be anybody's: nothing but a plain file
/// that is called *.log and lies beneath its folder is read, through no link. Safe from any thread.
#include <filesystem>
#include <optional>
#include <string>

namespace nearfar {

inline constexpr std::size_t kLogBytes = 16384;

/// Whole lines, at most kLogBytes of them. nullopt: there is no such file, or it is none that is shown.
std::optional<std::string> log_tail(const std::filesystem::path& file);

}  // namespace nearfar
