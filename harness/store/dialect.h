#pragma once
/// Private to store/: from the SQL that our sources have to PostgreSQL's. Pure function.
#include <string>
#include <string_view>

namespace nearfar {

/// SQLite's words become PostgreSQL's:
///   ?, ?2                       $1, $2 …: a bare ? is one more than the largest so far
///   INDEXED BY name             gone: its planner has statistics
///   CROSS JOIN … ON             JOIN: in SQLite the word CROSS keeps the order of the tables
///   group_concat(               string_agg(
///   char(                       chr(
///   /*lock or skip*/            FOR NO KEY UPDATE SKIP LOCKED, which is not in the way of foreign keys
/// Text in quotes stays as it is.
std::string to_postgres(std::string_view sql);

}  // namespace nearfar
