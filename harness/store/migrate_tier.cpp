/// Version 5 → 6: of each plugin its tier. Older plugins are all of the exact tier: there was no other.
#include "store/migrate.h"

namespace nearfar {

void migrate_5_to_6(SQLite::Database& connection) {
  connection.exec("ALTER TABLE plugin ADD COLUMN tier TEXT NOT NULL DEFAULT 'exact'");
}

}  // namespace nearfar
