#include "config/params_json.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

namespace nearfar {
namespace {

using nlohmann::json;

json value_to_json(const ParamValue& value) {
  const auto* number = std::get_if<double>(&value);
  if (number != nullptr && !std::isfinite(*number)) return {{"number", number_text(*number)}};
  return std::visit([](const auto& held) { return json(held); }, value);
}

/// What value_to_json() made of a number that JSON does not have.
double special_number(const std::string& name, const json& value) {
  for (const double special : {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()}) {
    if (value == json{{"number", number_text(special)}}) return special;
  }
  throw Error(ErrorKind::internal,
              fmt::format("parameter '{}' in JSON is {}; expected a boolean, a number or text", name, value.dump()));
}

}  // namespace

json params_to_json(const ParamMap& params) {
  json object = json::object();
  for (const auto& [name, value] : params) object[name] = value_to_json(value);
  return object;
}

ParamMap params_from_json(const json& object) {
  if (!object.is_object()) {
    throw Error(ErrorKind::internal,
                fmt::format("parameters in JSON are of the type {}, expected an object", object.type_name()));
  }
  ParamMap params;
  for (const auto& [name, value] : object.items()) {
    if (value.is_boolean()) {
      params[name] = value.get<bool>();
    } else if (value.is_number_integer()) {
      params[name] = value.get<std::int64_t>();
    } else if (value.is_number()) {
      params[name] = value.get<double>();
    } else if (value.is_string()) {
      params[name] = value.get<std::string>();
    } else {
      params[name] = special_number(name, value);
    }
  }
  return params;
}

json param_identity(const ParamValue& value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const double* number = std::get_if<double>(&value);
  if (number != nullptr && !std::isfinite(*number)) return number_text(*number);  // JSON has no infinity
  if (number != nullptr && std::trunc(*number) == *number && std::abs(*number) < kExact)
    return static_cast<std::int64_t>(*number);
  return std::visit([](const auto& held) { return json(held); }, value);
}

}  // namespace nearfar
