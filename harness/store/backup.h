#pragma once
/// Private to store/: copies of a database before it is changed for good.
#include <SQLiteCpp/Database.h>

#include <filesystem>
#include <string_view>

namespace nearfar {

/// Copies what `file` holds to FILE.`suffix`, or FILE.`suffix`.2, .3 … where that exists: whole and on disk when it
/// returns, or not there at all. For the holder of the file's write lock: nobody else then makes such a copy.
/// Error(store) or SQLite::Exception. Returns the copy's path.
std::filesystem::path back_up(const std::filesystem::path& file, std::string_view suffix);

/// What `from` sees as the file `target`, which must not exist: whole and on disk when it returns, or not there at all.
/// Error(store) or SQLite::Exception.
void save_copy(SQLite::Database& from, const std::filesystem::path& target);

/// Everything in `from` to `to`, which is overwritten.
void copy_database(SQLite::Database& from, SQLite::Database& to);

}  // namespace nearfar
