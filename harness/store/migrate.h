#pragma once
/// Private to store/: from an empty file, or the schema of an older nearfar, to the newest.
#include <SQLiteCpp/Database.h>

namespace nearfar {

/// Runs the migrations from `version` (0: an empty file) up and sets user_version. Part of the caller's transaction,
/// with foreign keys off; Error(store) or SQLite::Exception: roll back.
void migrate(SQLite::Database& connection, int version);

/// Steps of it, in migrate_v1.cpp, migrate_states.cpp, migrate_leaderboard.cpp and migrate_tier.cpp.
void migrate_1_to_2(SQLite::Database& connection);
void migrate_2_to_3(SQLite::Database& connection);
void migrate_3_to_4(SQLite::Database& connection);
void migrate_4_to_5(SQLite::Database& connection);
void migrate_5_to_6(SQLite::Database& connection);

}  // namespace nearfar
