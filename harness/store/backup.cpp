#include "store/backup.h"

#include "base/error.h"

#include <SQLiteCpp/Backup.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nearfar {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int code) {
  throw Error(
      ErrorKind::store,
      fmt::format("{}: {}: {}; a database of an older nearfar is copied before it is changed: make room and give "
                  "this user the right to write in its folder; the database was left as it is",
                  path.string(), what, std::strerror(code)));
}

void sync(const std::filesystem::path& path, bool folder) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (folder ? O_DIRECTORY : 0));
  if (descriptor < 0) fail(path, "cannot open", errno);
  const int result = ::fsync(descriptor), code = errno;
  ::close(descriptor);
  if (result != 0 && !folder) fail(path, "cannot write to disk", code);  // some file systems refuse to sync folders
}

}  // namespace

void copy_database(SQLite::Database& from, SQLite::Database& to) {
  SQLite::Backup backup(to, from);
  if (const int code = backup.executeStep(-1); code != SQLITE_DONE)
    throw SQLite::Exception("the database cannot be copied now", code);
}

std::filesystem::path back_up(const std::filesystem::path& file, std::string_view suffix) {
  const auto with = [&](const std::string& more) { return std::filesystem::path(file.string() + more); };
  std::filesystem::path target = with(fmt::format(".{}", suffix));
  for (int n = 2; std::filesystem::exists(std::filesystem::symlink_status(target)); ++n)
    target = with(fmt::format(".{}.{}", suffix, n));
  const std::filesystem::path part = with(fmt::format(".{}.part", suffix));  // of a process that died: written over
  std::error_code error;
  std::filesystem::remove(part, error);
  try {
    SQLite::Database from(file.string(), SQLite::OPEN_READONLY);
    SQLite::Database to(part.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    copy_database(from, to);
  } catch (const SQLite::Exception&) {
    std::filesystem::remove(part, error);
    throw;
  }
  sync(part, false);
  std::filesystem::rename(part, target, error);
  if (error) fail(target, "cannot rename the copy", error.value());
  sync(target.has_parent_path() ? target.parent_path() : ".", true);
  return target;
}

}  // namespace nearfar
