#include "host/params.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace nearfar {
namespace {

/// Integers beyond this are not exact in the table's doubles, nor in JSON.
constexpr double kLargestInteger = 9007199254740992.0;

std::vector<std::string> names(const ParamSchema& schema) {
  std::vector<std::string> result;
  for (const ParamSpec& spec : schema) result.push_back(spec.name);
  return result;
}

const ParamSpec& find_spec(const ParamSchema& schema, std::string_view name, std::string_view where) {
  const auto found = std::ranges::find(schema, name, &ParamSpec::name);
  if (found != schema.end()) return *found;
  const std::vector<std::string> known = names(schema);
  throw Error(ErrorKind::config,
              fmt::format("{}: unknown parameter '{}'{}; {}", where, name, suggestion(name, known),
                          known.empty() ? "it has no parameters" : "its parameters are " + join(known, ", ")));
}

[[noreturn]] void refuse(const ParamSpec& spec, std::string_view where, std::string_view found,
                         std::string_view wanted) {
  throw Error(ErrorKind::config, fmt::format("{}: parameter '{}' is {}; expected {}", where, spec.name, found, wanted));
}

std::string wanted_text(const ParamSpec& spec) {
  switch (spec.type) {
    case ParamType::boolean:
      return "true or false";
    case ParamType::text:
      return spec.choices.empty() ? "a text without ';' and control characters" : "one of " + join(spec.choices, ", ");
    case ParamType::file:
      return "the path of a file, without ';' and control characters";
    case ParamType::integer:
    case ParamType::number:
      break;
  }
  return fmt::format("{} {} from {} to {}", spec.type == ParamType::integer ? "an" : "a", param_type_name(spec.type),
                     number_text(spec.minimum), number_text(spec.maximum));
}

/// The alternative of the table's type where that loses nothing; otherwise the value as it came.
ParamValue converted(const ParamSpec& spec, const ParamValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value); integer != nullptr && spec.type == ParamType::number) {
    return static_cast<double>(*integer);
  }
  if (const auto* number = std::get_if<double>(&value); number != nullptr && spec.type == ParamType::integer) {
    if (std::trunc(*number) == *number && std::abs(*number) <= kLargestInteger)
      return static_cast<std::int64_t>(*number);
  }
  return value;
}

bool in_range(const ParamSpec& spec, double value) { return value >= spec.minimum && value <= spec.maximum; }

bool allowed(const ParamSpec& spec, const ParamValue& value) {
  switch (spec.type) {
    case ParamType::boolean:
      return std::holds_alternative<bool>(value);
    case ParamType::integer: {
      const auto* integer = std::get_if<std::int64_t>(&value);
      return integer != nullptr && in_range(spec, static_cast<double>(*integer));
    }
    case ParamType::number: {
      const auto* number = std::get_if<double>(&value);
      return number != nullptr && in_range(spec, *number);
    }
    case ParamType::text:
    case ParamType::file:
      break;
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return false;
  const auto breaks_canonical_form = [](char c) { return c == ';' || static_cast<unsigned char>(c) < ' '; };
  if (std::ranges::any_of(*text, breaks_canonical_form)) return false;
  return spec.choices.empty() || std::ranges::find(spec.choices, *text) != spec.choices.end();
}

template <class T>
bool read_whole(std::string_view text, T& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size();
}

ParamValue parse(const ParamSpec& spec, std::string_view text, std::string_view where) {
  if (spec.type == ParamType::text || spec.type == ParamType::file) return std::string(text);
  if (spec.type == ParamType::boolean && (text == "true" || text == "false")) return text == "true";
  std::int64_t integer = 0;
  double number = 0;
  if (spec.type == ParamType::integer && read_whole(text, integer)) return integer;
  if (spec.type != ParamType::boolean && read_whole(text, number)) return number;
  refuse(spec, where, fmt::format("'{}'", text), wanted_text(spec));
}

std::string quoted(const ParamValue& value) {
  return std::holds_alternative<std::string>(value) ? "'" + std::get<std::string>(value) + "'" : param_text(value);
}

}  // namespace

std::string_view param_type_name(ParamType type) {
  switch (type) {
    case ParamType::boolean:
      return "boolean";
    case ParamType::integer:
      return "integer";
    case ParamType::number:
      return "number";
    case ParamType::text:
      return "text";
    case ParamType::file:
      return "file";
  }
  return "unknown";
}

Params validate(const ParamSchema& schema, const ParamMap& given, std::string_view where) {
  ParamMap complete;
  for (const ParamSpec& spec : schema) complete.emplace(spec.name, spec.default_value);
  for (const auto& [name, value] : given) {
    const ParamSpec& spec = find_spec(schema, name, where);
    const ParamValue checked = converted(spec, value);
    if (!allowed(spec, checked)) refuse(spec, where, quoted(value), wanted_text(spec));
    complete.insert_or_assign(name, checked);
  }
  return Params(std::move(complete));
}

ParamMap params_from_text(const ParamSchema& schema, std::span<const std::string> assignments, std::string_view where) {
  ParamMap result;
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) {
      throw Error(ErrorKind::config, fmt::format("{}: '{}' has no '='; expected key=value", where, assignment));
    }
    const std::string_view name = trim(std::string_view(assignment).substr(0, equals));
    const ParamSpec& spec = find_spec(schema, name, where);
    const std::string_view text = trim(std::string_view(assignment).substr(equals + 1));
    if (!result.emplace(name, parse(spec, text, where)).second) {
      throw Error(ErrorKind::config, fmt::format("{}: parameter '{}' is given twice; give it once", where, name));
    }
  }
  validate(schema, result, where);
  return result;
}

std::string param_text(const ParamValue& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return number_text(*number);
  return std::get<std::string>(value);
}

std::string canonical_params(const ParamMap& values) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : values) parts.push_back(name + "=" + param_text(value));
  return join(parts, ";");
}

ParamMap non_default_params(const ParamSchema& schema, const ParamMap& values) {
  ParamMap result;
  for (const auto& [name, value] : values) {
    const auto spec = std::ranges::find(schema, name, &ParamSpec::name);
    if (spec == schema.end() || converted(*spec, value) != spec->default_value) result.emplace(name, value);
  }
  return result;
}

}  // namespace nearfar
