#pragma once
/// Private to store/: the schema on a PostgreSQL server. A change needs a higher kSchemaVersion (schema.h), a row in
/// kPostgresMigrations, and the same change in migrate.cpp: a test compares tables and columns of the two.
#include <span>

namespace nearfar {

/// Statements that lead from one version to a newer one; the first makes schema and tables. Each step also sets
/// schema_version.
struct PostgresMigration {
  int from, to;
  const char* sql;
};
std::span<const PostgresMigration> postgres_migrations();

}  // namespace nearfar
