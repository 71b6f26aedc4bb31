#pragma once
/// Private to store/: the columns that a merge copies, each with what its values may be.
#include "store/shard.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

enum class ColumnRule { name, text, path, hex, number };  ///< but for numbers as TextRule

struct CopiedColumn {
  const char* name;
  ColumnRule rule;
};

struct CopiedTable {
  const char* name;
  std::vector<CopiedColumn> columns;  ///< besides run_uid
};

/// Tables of what hangs on a run.
const std::vector<CopiedTable>& tables_of_a_run();
/// Besides uid, cell_key, attempt, location_id, plugin_id.
const std::vector<CopiedColumn>& columns_of_a_run();
/// Besides key, train_key, flags, and where it stands.
const std::vector<CopiedColumn>& columns_of_a_cell();

/// "a, b, c", and "?, ?, ?" for them.
std::string names(const std::vector<CopiedColumn>& columns);
std::string marks(std::size_t count);

/// Columns of `from`'s row, beginning with number `first`, to the marks of `to`, beginning with `mark`. Error(store)
/// where a value is not as its column's rule says.
void copy_columns(const Shard& shard, SQLite::Statement& from, int first, SQLite::Statement& to, int mark,
                  const std::vector<CopiedColumn>& columns, std::string_view table);

}  // namespace nearfar
