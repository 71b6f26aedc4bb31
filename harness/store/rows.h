#pragma once
/// Private to store/: rows of a query as values.
#include "store/statement.h"
#include "store/types.h"

#include <memory>
#include <vector>

namespace nearfar {

/// Takes the columns of the current row one after the other.
class Row {
 public:
  explicit Row(Statement& statement) : statement_(statement) {}
  std::string text() { return std::string(view()); }
  /// Text in the statement's own memory: until the next step.
  std::string_view view() { return statement_.text(column_++); }
  std::int64_t number() { return statement_.number(column_++); }
  int small() { return static_cast<int>(number()); }
  double real() { return statement_.real(column_++); }
  std::optional<double> maybe_real() {
    const int column = column_++;
    return statement_.is_null(column) ? std::nullopt : std::optional<double>(statement_.real(column));
  }
  std::optional<std::int64_t> maybe_number() {
    const int column = column_++;
    return statement_.is_null(column) ? std::nullopt : std::optional<std::int64_t>(statement_.number(column));
  }
  CellState state() { return state_from_name(view()); }
  CellKind kind() { return cell_kind_from_name(view()); }
  /// Columns name, value, is_boolean, is_default.
  Factor factor() {
    Factor factor;
    factor.name = text();
    factor.value = statement_.value(column_++);
    if (number() != 0) factor.value = std::get<std::int64_t>(factor.value) != 0;
    factor.is_default = number() != 0;
    return factor;
  }

 private:
  Statement& statement_;
  int column_ = 0;
};

template <class Make>
auto collect(Statement& statement, Make make) {
  std::vector<decltype(make(std::declval<Row&>()))> result;
  while (statement.step()) {
    Row row(statement);
    result.push_back(make(row));
  }
  return result;
}
template <class Make>
auto collect(const std::unique_ptr<Statement>& statement, Make make) {
  return collect(*statement, std::move(make));
}

}  // namespace nearfar
