#pragma once
/// Private to store/: the database's mark and the newest schema version. A change of the schema needs a higher
/// kSchemaVersion and one more row in migrate.cpp.
namespace nearfar {

inline constexpr int kApplicationId = 0x4E464152;  ///< "NFAR", in the SQLite header: `file results.sqlite` shows it
inline constexpr int kSchemaVersion = 6;

/// CREATE statements of version 2 for an empty file. Later versions are reached from it by migrations, so this text
/// stays as it is. Unit or scale is in the column's name; times are milliseconds since 1970 in UTC.
extern const char* const kSchema2;

}  // namespace nearfar
