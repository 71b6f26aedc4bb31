#pragma once
/// The folder of an export: made beside its place and put there as a whole, so that a program that looks sees the old
/// export or the new one. Safe from any thread. Failures are Error.
#include <filesystem>
#include <functional>
#include <string_view>

namespace nearfar {

/// Lists what an export wrote; only a folder that holds such a file, and nothing that it does not list, is replaced.
inline constexpr const char* kExportMark = ".nearfar-export.json";

/// Calls write(FOLDER) with an empty folder and makes that `target`. Where `target` exists it has to be empty or an
/// export of ours of whatever format to which nobody added a file (empty ones do not count): else Error(config) that
/// names the file. If write() throws, `target` is as it was.
void replace_export(const std::filesystem::path& target, std::string_view format,
                    const std::function<void(const std::filesystem::path& folder)>& write);

/// A file within such a folder, with the folders above it. Not flushed by itself: replace_export() does that once for
/// all of them. Error(data) naming it.
void write_export_file(const std::filesystem::path& file, std::string_view content);

/// A label as the name of a file or folder: letters, digits and . _ - = + , stay, what else there is becomes "_"; never
/// hidden, never empty, at most 120 bytes.
std::string file_name_of(std::string_view text);

}  // namespace nearfar
