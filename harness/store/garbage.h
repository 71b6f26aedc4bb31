#pragma once
/// Private to store/: what lies beneath the output folders of a database that nothing refers to.
#include "store/database.h"
#include "store/upkeep.h"

namespace nearfar {

/// As collect_garbage() would find it now. Does not write. Error(store), SQLite::Exception.
Garbage find_garbage(const Database& database);

}  // namespace nearfar
