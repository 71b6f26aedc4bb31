#include "dashboards/folder.h"

#include "base/descriptor.h"
#include "base/error.h"
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

[[noreturn]] void cannot(const std::string& what, const fs::path& path, const std::string& why) {
  throw Error(ErrorKind::data, fmt::format("{}: cannot be {}: {}", path.string(), what, why));
}

/// All files beneath `folder`, relative to it, sorted.
std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory() || entry.is_symlink()) files.push_back(entry.path().lexically_relative(folder).string());
  }
  std::ranges::sort(files);
  return files;
}

/// What the mark in `target` lists; Error(config) without a mark.
std::set<std::string> listed_files(const fs::path& target) {
  const fs::path mark = target / kExportMark;
  const Json document = fs::exists(mark) ? Json::parse(read_file(mark), nullptr, false) : Json();
  if (!document.is_object() || !document.contains("files") || !document["files"].is_array()) {
    throw Error(ErrorKind::config,
                fmt::format("{}: is not empty and no export of nearfar ({} is not there); name another folder",
                            target.string(), kExportMark));
  }
  std::set<std::string> files{kExportMark};
  for (const Json& file : document["files"]) {
    if (file.is_string()) files.insert(file.get<std::string>());
  }
  return files;
}

/// Locks of trackio and what SQLite leaves where a database was read: empty files, and memory shared by its readers.
bool is_nobodys_work(const fs::path& target, const std::string& file, const std::set<std::string>& listed) {
  constexpr std::string_view kShared = "-shm";
  if (file.ends_with(kShared) && listed.contains(file.substr(0, file.size() - kShared.size()))) return true;
  return fs::is_regular_file(fs::symlink_status(target / file)) && fs::is_empty(target / file);
}

void check_target(const fs::path& target) {
  if (!fs::exists(fs::symlink_status(target))) return;
  if (!fs::is_directory(target) || fs::is_symlink(target))
    throw Error(ErrorKind::config, fmt::format("{}: is no folder; name another one", target.string()));
  if (fs::is_empty(target)) return;
  const std::set<std::string> listed = listed_files(target);
  for (const std::string& file : files_in(target)) {
    if (!listed.contains(file) && !is_nobodys_work(target, file, listed)) {
      throw Error(ErrorKind::config,
                  fmt::format("{}: the export here did not write this file, and replacing it would remove it; move it "
                              "elsewhere, or name another folder",
                              (target / file).string()));
    }
  }
}

/// One flush for all files of the export: there may be thousands.
void flush_file_system(const fs::path& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::syncfs(opened.get()) != 0) cannot("written", folder, std::strerror(errno));
}

/// `made` takes the place of `target`; what was there has the name of `made` afterwards, if anything was.
void exchange(const fs::path& made, const fs::path& target) {
  if (::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno == EINVAL || errno == ENOSYS) {  // a file system that cannot exchange: for a moment there is nothing
    const fs::path old = temporary_name(target);
    fs::rename(target, old);
    fs::rename(made, target);
    fs::rename(old, made);
    return;
  }
  cannot("replaced", target, std::strerror(errno));
}

}  // namespace

void replace_export(const fs::path& target, std::string_view format,
                    const std::function<void(const fs::path&)>& write) {
  fs::path place = fs::absolute(target).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();  // "DIR/"
  const fs::path made = temporary_name(place);
  try {
    check_target(place);
    fs::create_directories(place.parent_path());
    remove_stale_temporaries(place);
    fs::create_directory(made);
    write(made);
    const Json mark{{"nearfar_export", 1}, {"format", format}, {"files", files_in(made)}};
    write_export_file(made / kExportMark, mark.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    flush_file_system(made);
    check_target(place);  // again: writing may have taken a while
    if (fs::exists(place))
      exchange(made, place);
    else
      fs::rename(made, place);
    sync_folder(place.parent_path());
    fs::remove_all(made);
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    fs::remove_all(made, ignored);
    cannot("written", place, error.what());
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(made, ignored);
    throw;
  }
}

void write_export_file(const fs::path& file, std::string_view content) {
  fs::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  stream.close();
  if (!stream) cannot("written", file, std::strerror(errno));
}

std::string file_name_of(std::string_view text) {
  constexpr std::size_t kLongest = 120;
  std::string name(text.empty() || text.front() == '.' ? 1 : 0, '_');
  for (const char c : text.substr(0, kLongest - name.size())) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::strchr("._-=+,", c) != nullptr;
    name += plain && c != '\0' ? c : '_';
  }
  return name;
}

}  // namespace nearfar
