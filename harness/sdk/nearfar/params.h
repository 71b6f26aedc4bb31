#pragma once
/// Parameters of a plugin: the schema it declares and the checked values it is given. std only.
/// The host validates names, types and ranges and fills in defaults before a plugin sees its Params; a plugin may rely
/// on it.
#include <nearfar/error.h>

#include <cstdint>
#include <string>
#include <string_view>
#ifndef NEARFAR_STABLE
#include <map>
#include <variant>
#endif

namespace nearfar {

enum class ParamType : std::int32_t {
  boolean,
  integer,
  number,
  text,
  file,  ///< a text that is a path, or "" for none; the file's contents are part of what identifies a result
};

/// The default of a file: {"picks", kNoFile, "a .npy of …"}.
struct NoFile {};
inline constexpr NoFile kNoFile{};

/// One row of a plugin's parameter table. Constants with static storage; names keep OpenOOD's spelling in lower case.
struct Param {
  const char* name;
  ParamType type;
  double default_number;     ///< for boolean (0 or 1), integer and number
  const char* default_text;  ///< for text and file
  double minimum, maximum;   ///< closed range of integer and number
  const char* choices;       ///< for text: "a|b|c", or "" for any
  const char* help;

  constexpr Param(const char* name_, double value, double minimum_, double maximum_, const char* help_)
      : name(name_),
        type(ParamType::number),
        default_number(value),
        default_text(""),
        minimum(minimum_),
        maximum(maximum_),
        choices(""),
        help(help_) {}
  constexpr Param(const char* name_, int value, int minimum_, int maximum_, const char* help_)
      : name(name_),
        type(ParamType::integer),
        default_number(value),
        default_text(""),
        minimum(minimum_),
        maximum(maximum_),
        choices(""),
        help(help_) {}
  constexpr Param(const char* name_, bool value, const char* help_)
      : name(name_),
        type(ParamType::boolean),
        default_number(value ? 1 : 0),
        default_text(""),
        minimum(0),
        maximum(1),
        choices(""),
        help(help_) {}
  constexpr Param(const char* name_, const char* value, const char* choices_, const char* help_)
      : name(name_),
        type(ParamType::text),
        default_number(0),
        default_text(value),
        minimum(0),
        maximum(0),
        choices(choices_),
        help(help_) {}
  constexpr Param(const char* name_, NoFile, const char* help_)
      : name(name_),
        type(ParamType::file),
        default_number(0),
        default_text(""),
        minimum(0),
        maximum(0),
        choices(""),
        help(help_) {}
};

#ifdef NEARFAR_STABLE
}  // namespace nearfar
#include <nearfar/stable/params.h>
#else

using ParamValue = std::variant<bool, std::int64_t, double, std::string>;
using ParamMap = std::map<std::string, ParamValue, std::less<> >;

/// The complete, validated values. Asking for a name or type that the schema does not have is the plugin's bug:
/// Error(plugin).
class Params {
 public:
  Params() = default;
  explicit Params(ParamMap values) : values_(std::move(values)) {}

  double number(std::string_view name) const { return get<double>(name); }
  std::int64_t integer(std::string_view name) const { return get<std::int64_t>(name); }
  bool boolean(std::string_view name) const { return get<bool>(name); }
  /// Of a text or a file.
  const std::string& text(std::string_view name) const { return get<std::string>(name); }
  const ParamMap& values() const { return values_; }

 private:
  template <class T>
  const T& get(std::string_view name) const {
    const auto found = values_.find(name);
    if (found == values_.end())
      throw Error(ErrorKind::plugin, "parameter '" + std::string(name) + "' is not in the plugin's table");
    if (const T* value = std::get_if<T>(&found->second)) return *value;
    throw Error(ErrorKind::plugin,
                "parameter '" + std::string(name) + "' is asked for with a type other than the table's");
  }
  ParamMap values_;
};

}  // namespace nearfar
#endif
