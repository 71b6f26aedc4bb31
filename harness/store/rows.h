#pragma once
/// Private to store/: rows of a query as values.
#include "store/database.h"
#include "store/types.h"

#include <vector>

namespace nearfar {

/// Takes the columns of the current row one after the other.
class Row {
 public:
  explicit Row(SQLite::Statement& statement) : statement_(statement) {}
  std::string text() { return statement_.getColumn(column_++).getString(); }
  /// Text in SQLite's own memory: until the next step.
  std::string_view view() {
    const SQLite::Column column = statement_.getColumn(column_++);
    const char* const text = column.getText();
    return {text, static_cast<std::size_t>(column.getBytes())};
  }
  std::int64_t number() { return statement_.getColumn(column_++).getInt64(); }
  int small() { return static_cast<int>(number()); }
  double real() { return statement_.getColumn(column_++).getDouble(); }
  std::optional<double> maybe_real() {
    const SQLite::Column column = statement_.getColumn(column_++);
    return column.isNull() ? std::nullopt : std::optional<double>(column.getDouble());
  }
  std::optional<std::int64_t> maybe_number() {
    const SQLite::Column column = statement_.getColumn(column_++);
    return column.isNull() ? std::nullopt : std::optional<std::int64_t>(column.getInt64());
  }
  CellState state() { return state_from_name(text()); }
  CellKind kind() { return cell_kind_from_name(text()); }
  /// Columns name, value, is_boolean, is_default.
  Factor factor();

 private:
  SQLite::Statement& statement_;
  int column_ = 0;
};

template <class Make>
auto collect(SQLite::Statement& statement, Make make) {
  std::vector<decltype(make(std::declval<Row&>()))> result;
  while (statement.executeStep()) {
    Row row(statement);
    result.push_back(make(row));
  }
  return result;
}
template <class Make>
auto collect(SQLite::Statement&& statement, Make make) {
  return collect(statement, std::move(make));
}

inline Factor Row::factor() {
  Factor factor;
  factor.name = text();
  const SQLite::Column value = statement_.getColumn(column_++);
  const bool is_boolean = number() != 0;
  if (is_boolean) {
    factor.value = value.getInt64() != 0;
  } else if (value.isInteger()) {
    factor.value = value.getInt64();
  } else if (value.isFloat()) {
    factor.value = value.getDouble();
  } else {
    factor.value = value.getString();
  }
  factor.is_default = number() != 0;
  return factor;
}

}  // namespace nearfar
