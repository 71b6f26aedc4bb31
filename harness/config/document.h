#pragma once
/// TOML values that remember where they were written, and a strict reader of tables. Used for experiments and
/// benchmarks; all errors are Error(config) that begin with "file:line:column: ". No toml++ type crosses this header.
/// Plain values, safe from any thread.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nearfar {

struct Value {
  using List = std::vector<Value>;
  using Table = std::map<std::string, Value, std::less<>>;
  std::variant<bool, std::int64_t, double, std::string, List, Table> data = Table{};
  std::string where;      ///< "file:line:column" of the value
  std::string key_where;  ///< of its key; empty for elements of lists
  std::string raw;        ///< the text after '=' where the value comes from the command line, else empty

  const Table* table() const { return std::get_if<Table>(&data); }
  Table* table() { return std::get_if<Table>(&data); }
  const List* list() const { return std::get_if<List>(&data); }
};

/// The same types and values all through, wherever they were written.
bool equal_values(const Value& one, const Value& other);

/// "text", "an integer", … for messages.
std::string type_name(const Value& value);

/// A whole file. Dates and times are refused: nothing here uses them. Error(data) if it cannot be read, Error(config)
/// if it is not TOML.
Value read_toml(const std::filesystem::path& file);
/// The same from text; `name` stands for the file in messages.
Value parse_toml(std::string_view text, std::string_view name);
/// One value as on a command line: TOML, or plain text where it is not. `where` is the argument as typed.
Value parse_argument(std::string_view text, std::string_view where);

/// The value at a path of keys; nullptr where there is none.
const Value* find_value(const Value& document, const std::vector<std::string>& path);

/// Tables merge key by key, anything else of `upper` replaces what `lower` has.
void merge_into(Value& lower, Value upper);

/// read_toml() with `extends` resolved: what a file extends is merged in order, then the file itself on top. A cycle is
/// refused with its path. `adjust` sees each file's own table before it is merged. `more`: files that this one extends
/// too, after those it names; empty = none.
Value read_composed(const std::filesystem::path& file, const std::function<void(Value&)>& adjust = {},
                    const std::filesystem::path& more = {});

/// Reads one table key by key; every read marks its key as known, and finish() refuses whatever is left.
/// A read of an absent key leaves the target as it is and returns false.
class Section {
 public:
  /// `name` as in messages: "[train]", or "the top level". `table` must outlive the section; nullptr is an empty table.
  Section(const Value* table, std::string name);

  bool read(std::string_view key, bool& target);
  bool read(std::string_view key, std::int64_t& target, std::int64_t minimum = std::numeric_limits<std::int64_t>::min(),
            std::int64_t maximum = std::numeric_limits<std::int64_t>::max());
  /// Integers are fine where a number is asked for; NaN and infinities are not.
  bool read(std::string_view key, double& target, double minimum = -std::numeric_limits<double>::max(),
            double maximum = std::numeric_limits<double>::max());
  bool read(std::string_view key, std::string& target, std::initializer_list<std::string_view> choices = {});
  bool read(std::string_view key, std::filesystem::path& target);
  bool read(std::string_view key, std::vector<std::string>& target);
  bool read(std::string_view key, std::vector<std::int64_t>& target,
            std::int64_t minimum = std::numeric_limits<std::int64_t>::min());
  bool read(std::string_view key, std::vector<double>& target);

  /// The raw value, marked as known; nullptr where it is absent.
  const Value* find(std::string_view key);
  /// A table or nullptr; any other type is an error.
  const Value* find_table(std::string_view key);
  /// Where the key was written, else where the section was; for messages of the caller's own.
  std::string where(std::string_view key) const;
  const std::string& name() const { return name_; }

  /// "file:line:column: unknown key 'x' in [train]; did you mean 'y'?"
  void finish() const;

 private:
  const Value* value_;
  std::string name_;
  std::set<std::string, std::less<>> known_;
};

/// Throws Error(config) "where: message".
[[noreturn]] void fail_at(std::string_view where, std::string_view message);

}  // namespace nearfar
