#pragma once
/// Private to store/: opening a file of SQLite for reading wherever it lies.
#include "base/files.h"

#include <SQLiteCpp/Database.h>

#include <filesystem>
#include <memory>
#include <string>

namespace nearfar {

/// A connection for one thread at a time, without SQLite's own locks around every call. Waits 20 seconds for another
/// one's write. SQLite::Exception.
std::unique_ptr<SQLite::Database> connect(const std::string& name, int flags);

struct Connection {
  std::unique_ptr<TempDir> copy;  ///< where a copy is read, because the file cannot be
  std::unique_ptr<SQLite::Database> database;
};

/// As another process writes it, or, in a folder that cannot be written or is on a network, as it was last left, with
/// what its -wal file holds. SQLite::Exception; Error(store) if it changes while it is copied.
Connection connect_for_reading(const std::filesystem::path& file);

/// "file:///a%20b?immutable=1": what a path means to SQLite, whatever characters it has.
std::string immutable_uri(const std::filesystem::path& file);

}  // namespace nearfar
