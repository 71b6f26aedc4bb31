#include "store/backup.h"

#include "base/error.h"
#include "base/files.h"
#include "store/address.h"
#include "store/sqlite_database.h"
#include "store/upkeep.h"

#include <SQLiteCpp/Backup.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace nearfar {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int code) {
  throw Error(ErrorKind::store,
              fmt::format("{}: {}: {}; make room and give this user the right to write in its folder; the database was "
                          "left as it is",
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

namespace {

/// By way of PART, which is written over if a process that died left it.
void save_by_way_of(const std::filesystem::path& part, SQLite::Database& from, const std::filesystem::path& target) {
  std::error_code error;
  std::filesystem::remove(part, error);
  try {
    SQLite::Database to(part.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    copy_database(from, to);
  } catch (const SQLite::Exception&) {
    std::filesystem::remove(part, error);
    throw;
  }
  sync(part, false);
  // Not over a file that came meanwhile, where the file system can tell.
  if (::renameat2(AT_FDCWD, part.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0 &&
      (errno != EINVAL || ::rename(part.c_str(), target.c_str()) != 0)) {
    const int code = errno;
    std::filesystem::remove(part, error);
    fail(target, "cannot rename the copy", code);
  }
  sync(target.has_parent_path() ? target.parent_path() : ".", true);
}

}  // namespace

void save_copy(SQLite::Database& from, const std::filesystem::path& target) {
  save_by_way_of(temporary_name(target), from, target);
}

std::filesystem::path back_up(const std::filesystem::path& file, std::string_view suffix) {
  const auto with = [&](const std::string& more) { return std::filesystem::path(file.string() + more); };
  std::filesystem::path target = with(fmt::format(".{}", suffix));
  for (int n = 2; std::filesystem::exists(std::filesystem::symlink_status(target)); ++n)
    target = with(fmt::format(".{}.{}", suffix, n));
  SQLite::Database from(file.string(), SQLite::OPEN_READONLY);
  save_by_way_of(with(fmt::format(".{}.part", suffix)), from, target);
  return target;
}

void back_up_database(const std::filesystem::path& file, const std::filesystem::path& target) {
  refuse_server(file, "nearfar db backup",
                "copy it with its own tool: pg_dump --schema=nearfar --format=custom --file=FILE ADDRESS");
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(target, error))) {
    throw Error(ErrorKind::config,
                fmt::format("{}: exists; a backup is never written over: name another file", target.string()));
  }
  { const SqliteDatabase checked(file, Database::Mode::read_only); }  // says what is wrong with it
  try {
    const Connection from = connect_for_reading(file);  // as it is: an older schema stays one
    save_copy(*from.database, target);
  } catch (const SQLite::Exception& failure) {
    throw_store_error(target, failure);
  }
}

}  // namespace nearfar
