#include "store/migrate.h"

#include "base/error.h"
#include "store/schema.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string>

namespace nearfar {
namespace {

void create_version_2(SQLite::Database& connection) { connection.exec(kSchema2); }

struct Migration {
  int from, to;
  void (*run)(SQLite::Database&);
};
constexpr std::array kMigrations = {
    Migration{0, 2, create_version_2}, Migration{1, 2, migrate_1_to_2}, Migration{2, 3, migrate_2_to_3},
    Migration{3, 4, migrate_3_to_4},   Migration{4, 5, migrate_4_to_5}, Migration{5, 6, migrate_5_to_6},
};

}  // namespace

void migrate(SQLite::Database& connection, int version) {
  const int first = version;
  while (version != kSchemaVersion) {
    const auto step = std::ranges::find(kMigrations, version, &Migration::from);
    NEARFAR_ASSERT(step != kMigrations.end());
    step->run(connection);
    version = step->to;
  }
  connection.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, version));
  SQLite::Statement check(connection, "PRAGMA foreign_key_check");
  if (check.executeStep()) {
    throw Error(ErrorKind::store,
                fmt::format("{}: cannot go from schema version {} to {}: a row of table {} refers to one of {} that is "
                            "not there; the database was left as it is",
                            connection.getFilename(), first, version, check.getColumn(0).getString(),
                            check.getColumn(2).getString()));
  }
}

}  // namespace nearfar
