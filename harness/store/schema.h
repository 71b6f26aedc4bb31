#pragma once
/// Schema version 1 of the database. A change of it needs a higher kSchemaVersion and a migration.
namespace nearfar {

inline constexpr int kApplicationId = 0x4E464152;  ///< "NFAR", in the SQLite header: `file results.sqlite` shows it
inline constexpr int kSchemaVersion = 1;

/// CREATE statements for an empty file. Unit or scale is in the column's name; times are milliseconds since 1970 in
/// UTC.
extern const char* const kSchema;

}  // namespace nearfar
