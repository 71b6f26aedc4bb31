#pragma once
/// Private to store/: one statement of SQL with its parameters and its rows, whatever database runs it. Parameters are
/// counted from 1, columns from 0. Everything may throw Error(store). Outlives neither its Database nor the call of
/// Database::transaction() and the like in which it was made.
#include "base/factor.h"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nearfar {

class Statement {
 public:
  /// What a parameter that is NULL would have been.
  enum class Type { text, number, real };

  virtual ~Statement() = default;

  virtual void bind(int index, std::string_view text) = 0;
  virtual void bind(int index, std::int64_t number) = 0;
  virtual void bind(int index, double number) = 0;
  /// A value that keeps its type, for a column of type ANY; a boolean is stored as 0 or 1.
  virtual void bind(int index, const ParamValue& value) = 0;
  virtual void bind_null(int index, Type type) = 0;

  /// The first row, or the next one; false: there is none.
  virtual bool step() = 0;
  /// Before it runs once more, with other parameters.
  virtual void reset() = 0;
  /// Number of rows that it changed, when it has run to its end.
  virtual int changed() const = 0;

  virtual bool is_null(int column) const = 0;
  /// NULL reads as 0 and "".
  virtual std::int64_t number(int column) const = 0;
  virtual double real(int column) const = 0;
  virtual std::string_view text(int column) const = 0;  ///< until the next step
  /// Of a column of type ANY: never a boolean.
  virtual ParamValue value(int column) const = 0;
};

/// Binds parameters in order. Text may be any string type; an empty optional is NULL.
template <class... Args>
void bind_all(Statement& statement, const Args&... args);

namespace detail {
inline void bind_one(Statement& statement, int index, std::string_view text) { statement.bind(index, text); }
inline void bind_one(Statement& statement, int index, std::int64_t number) { statement.bind(index, number); }
inline void bind_one(Statement& statement, int index, int number) { statement.bind(index, std::int64_t{number}); }
inline void bind_one(Statement& statement, int index, bool flag) { statement.bind(index, std::int64_t{flag}); }
inline void bind_one(Statement& statement, int index, double number) { statement.bind(index, number); }
template <std::same_as<ParamValue> Value>  // not what a string might be turned into
void bind_one(Statement& statement, int index, const Value& value) {
  statement.bind(index, value);
}
constexpr Statement::Type type_of(std::string_view) { return Statement::Type::text; }
constexpr Statement::Type type_of(std::int64_t) { return Statement::Type::number; }
constexpr Statement::Type type_of(double) { return Statement::Type::real; }
template <class T>
void bind_one(Statement& statement, int index, const std::optional<T>& value) {
  if (value) {
    bind_one(statement, index, *value);
  } else {
    statement.bind_null(index, type_of(T{}));
  }
}
}  // namespace detail

template <class... Args>
void bind_all(Statement& statement, const Args&... args) {
  int index = 0;
  (detail::bind_one(statement, ++index, args), ...);
}

}  // namespace nearfar
