#pragma once
/// nearfar::Params of the stable tier: the host's values as <nearfar/c.h> gives them, without a map of its own. The
/// same functions as in <nearfar/params.h>.
#include <nearfar/c.h>
#include <nearfar/error.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace nearfar {

/// Borrowed: for the call of the constructor or of traits() alone. Copy what is kept.
class Params {
 public:
  Params(const nearfar_value* values, std::uint32_t count) : values_(values), count_(count) {}

  double number(std::string_view name) const { return find(name, NEARFAR_NUMBER).number; }
  std::int64_t integer(std::string_view name) const { return find(name, NEARFAR_INTEGER).integer; }
  bool boolean(std::string_view name) const { return find(name, NEARFAR_BOOLEAN).integer != 0; }
  std::string text(std::string_view name) const {
    const nearfar_value& value = find(name, NEARFAR_TEXT);
    return value.text == nullptr ? "" : value.text;
  }

 private:
  [[gnu::noinline]] const nearfar_value& find(std::string_view name, std::int32_t type) const {
    for (const nearfar_value* value = values_; value != values_ + count_; ++value) {
      if (name != value->name) continue;
      if (value->type == type || (type == NEARFAR_TEXT && value->type == NEARFAR_FILE)) return *value;
      throw Error(ErrorKind::plugin,
                  "parameter '" + std::string(name) + "' is asked for with a type other than the table's");
    }
    throw Error(ErrorKind::plugin, "parameter '" + std::string(name) + "' is not in the plugin's table");
  }
  const nearfar_value* values_;
  std::uint32_t count_;
};

}  // namespace nearfar
