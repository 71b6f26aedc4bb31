#include "store/connect.h"

#include "base/error.h"
#include "store/file_system.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <optional>
#include <utility>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr int kBusyTimeoutMilliseconds = 20'000;

fs::path wal_of(const fs::path& file) { return file.string() + "-wal"; }

/// Changes when somebody writes to the file or its -wal.
using Stamp = std::pair<fs::file_time_type, std::uintmax_t>;
std::pair<Stamp, Stamp> stamps(const fs::path& file) {
  const auto stamp = [](const fs::path& path) {
    std::error_code error;
    const auto time = fs::last_write_time(path, error);
    const std::uintmax_t size = fs::file_size(path, error);
    return error ? Stamp{} : Stamp{time, size};
  };
  return {stamp(file), stamp(wal_of(file))};
}

/// File and -wal in a folder that can be written: SQLite joins them there.
Connection connect_to_copy(const fs::path& file) {
  Connection result{std::make_unique<TempDir>(), nullptr};
  const fs::path copy = result.copy->path() / "copy.sqlite";
  for (int tries = 0; tries < 3; ++tries) {
    const auto before = stamps(file);
    std::error_code error;
    fs::copy_file(file, copy, fs::copy_options::overwrite_existing, error);
    if (!error) fs::copy_file(wal_of(file), wal_of(copy), fs::copy_options::overwrite_existing, error);
    if (error) {
      throw Error(ErrorKind::store, fmt::format("{}: cannot copy it with its -wal file to {}: {}; its folder cannot be "
                                                "written or is on a network, so it is read from a copy",
                                                file.string(), result.copy->path().string(), error.message()));
    }
    if (stamps(file) != before) continue;
    result.database = connect(copy.string(), SQLite::OPEN_READWRITE);
    return result;
  }
  throw Error(ErrorKind::store,
              fmt::format("{}: another process writes to it and its folder cannot be written by this one; run this "
                          "again later, or as the user who writes it",
                          file.string()));
}

/// nullopt where a folder that cannot be written has no room for the shared index of a WAL file.
std::optional<Connection> connect_as_others_do(const fs::path& file) {
  try {
    Connection result{nullptr, connect(file.string(), SQLite::OPEN_READONLY)};
    result.database->execAndGet("SELECT count(*) FROM sqlite_schema");
    return result;
  } catch (const SQLite::Exception& error) {
    const int code = error.getErrorCode() & 0xff;
    if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY) throw;
    return std::nullopt;
  }
}

}  // namespace

std::unique_ptr<SQLite::Database> connect(const std::string& name, int flags) {
  return std::make_unique<SQLite::Database>(name, flags | SQLite::OPEN_NOMUTEX, kBusyTimeoutMilliseconds);
}

std::string immutable_uri(const fs::path& file) {
  std::string uri = "file://";
  for (const char c : fs::absolute(file).string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
                       c == '-' || c == '_' || c == '.';
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri + "?immutable=1";
}

Connection connect_for_reading(const fs::path& file) {
  // Where several hosts see it no process writes to it, nor may a shared index be made there.
  if (!several_hosts_use(file_system_of(file))) {
    if (std::optional<Connection> connection = connect_as_others_do(file)) return std::move(*connection);
  }
  std::error_code error;
  if (const std::uintmax_t size = fs::file_size(wal_of(file), error); !error && size > 0) return connect_to_copy(file);
  return {nullptr, connect(immutable_uri(file), SQLite::OPEN_READONLY | SQLite::OPEN_URI)};
}

}  // namespace nearfar
