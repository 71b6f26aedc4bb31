#pragma once
/// What --db may name: a file, or a database of a PostgreSQL server. Pure functions, safe from any thread.
#include <filesystem>
#include <string>
#include <string_view>

namespace nearfar {

/// "postgresql://user@host:port/name", also "postgres://…": everything else is a file.
bool is_server(const std::filesystem::path& database);

/// The same for messages and records: a file as it is; of a server user, host, port and name, without the password and
/// other settings. May be given to --db again. Error(config) for an address that cannot be read or names no database.
std::string shown_database(const std::filesystem::path& database);

/// Error(config) for a server: `command` is for files of SQLite; `instead` is what to do.
void refuse_server(const std::filesystem::path& database, std::string_view command, std::string_view instead);

}  // namespace nearfar
