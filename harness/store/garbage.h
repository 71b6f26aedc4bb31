#pragma once
/// Private to store/: what lies beneath the output folders of a database that nothing refers to.
#include "store/sqlite_database.h"
#include "store/upkeep.h"

namespace nearfar {

/// As collect_garbage() would find it now. Does not write. Error(store), SQLite::Exception.
Garbage find_garbage(const SqliteDatabase& database);

}  // namespace nearfar
