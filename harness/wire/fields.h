#pragma once
/// One field list a message: the same list writes and reads it. A message type has
///
///   template <class Visit, class Self> static void fields(Visit&& visit, Self& m) { visit("cell", m.cell);
///   visit("seconds", m.seconds); }
///
/// Reading is strict: a field that is missing, of another type, or not in the list is Error(internal) with its path
/// ("eval.cells[2].grid"): parent and engine are of one build, so any difference is a fault. An optional without a
/// value is written as null. Numbers that JSON does not have (NaN, infinities) are written as text. Pure functions;
/// safe from any thread.
#include "base/error.h"
#include "base/text.h"
#include "config/params_json.h"
#include "config/recipe.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace nearfar::wire {

using Json = nlohmann::json;

template <class T>
concept Message = requires(T& message) {
  T::fields([](const char*, auto&) {}, message);
};

[[noreturn]] inline void refuse(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::internal, "a message between nearfar and its engine: " + path + " " + what +
                                       "; both must be of one build, so this is a bug or a mixed installation");
}

// ---- writing ----

template <class T>
Json to_json(const T& value);

template <Message T>
Json message_to_json(const T& message) {
  Json object = Json::object();
  T::fields([&object](const char* name, const auto& member) { object[name] = to_json(member); }, message);
  return object;
}

template <class T>
struct Form {  // of the types below that are no messages
  static Json write(const T& value) { return value; }
};
template <>
struct Form<double> {
  static Json write(double value) { return std::isfinite(value) ? Json(value) : Json(number_text(value)); }
};
template <class T>
struct Form<std::optional<T>> {
  static Json write(const std::optional<T>& value) { return value ? to_json(*value) : Json(nullptr); }
};
template <class T>
struct Form<std::vector<T>> {
  static Json write(const std::vector<T>& values) {
    Json list = Json::array();
    for (const T& value : values) list.push_back(to_json(value));
    return list;
  }
};
template <class T>
struct Form<std::map<std::string, T>> {
  static Json write(const std::map<std::string, T>& values) {
    Json object = Json::object();
    for (const auto& [name, value] : values) object[name] = to_json(value);
    return object;
  }
};
template <>
struct Form<ParamMap> {
  static Json write(const ParamMap& params) { return params_to_json(params); }
};
template <>
struct Form<TrainRecipe> {
  static Json write(const TrainRecipe& recipe) { return recipe_to_json(recipe); }
};

template <class T>
Json to_json(const T& value) {
  if constexpr (Message<T>) {
    return message_to_json(value);
  } else {
    return Form<T>::write(value);
  }
}

// ---- reading ----

inline void read(const Json& json, bool& value, const std::string& path) {
  if (!json.is_boolean()) refuse(path, "is " + json.dump() + ", expected true or false");
  value = json.get<bool>();
}
inline void read(const Json& json, std::string& value, const std::string& path) {
  if (!json.is_string()) refuse(path, "is " + json.dump() + ", expected text");
  value = json.get<std::string>();
}
template <std::integral T>
void read(const Json& json, T& value, const std::string& path) {
  if (!json.is_number_integer()) refuse(path, "is " + json.dump() + ", expected an integer");
  value = json.get<T>();
}
inline void read(const Json& json, double& value, const std::string& path) {
  if (json.is_number()) {
    value = json.get<double>();
  } else if (json == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (json == "inf" || json == "-inf") {
    value = (json == "inf" ? 1 : -1) * std::numeric_limits<double>::infinity();
  } else {
    refuse(path, "is " + json.dump() + ", expected a number");
  }
}
inline void read(const Json& json, Json& value, const std::string&) { value = json; }
inline void read(const Json& json, ParamMap& value, const std::string& path) {
  if (!json.is_object()) refuse(path, "is " + json.dump() + ", expected parameters");
  value = params_from_json(json);
}
inline void read(const Json& json, TrainRecipe& value, const std::string&) { value = recipe_from_json(json); }

template <Message T>
void read(const Json& json, T& message, const std::string& path);

template <class T>
void read(const Json& json, std::optional<T>& value, const std::string& path) {
  if (json.is_null()) {
    value.reset();
  } else {
    read(json, value.emplace(), path);
  }
}
template <class T>
void read(const Json& json, std::vector<T>& values, const std::string& path) {
  if (!json.is_array()) refuse(path, "is " + json.dump() + ", expected a list");
  values.clear();
  for (std::size_t i = 0; i < json.size(); ++i)
    read(json[i], values.emplace_back(), path + "[" + std::to_string(i) + "]");
}
template <class T>
void read(const Json& json, std::map<std::string, T>& values, const std::string& path) {
  if (!json.is_object()) refuse(path, "is " + json.dump() + ", expected an object");
  values.clear();
  for (const auto& [name, value] : json.items()) read(value, values[name], path + "." + name);
}

template <Message T>
void read(const Json& json, T& message, const std::string& path) {
  if (!json.is_object()) refuse(path, "is " + json.dump() + ", expected an object");
  std::set<std::string_view> known;
  T::fields(
      [&](const char* name, auto& member) {
        known.insert(name);
        const auto found = json.find(name);
        if (found == json.end()) refuse(path + "." + name, "is missing");
        read(*found, member, path + "." + name);
      },
      message);
  for (const auto& [name, value] : json.items()) {
    if (!known.contains(name)) refuse(path + "." + name, "is unknown");
  }
}

/// Text of a document → T. `what` begins the path in messages.
template <class T>
T parse(std::string_view text, const std::string& what) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) refuse(what, "is no JSON: " + std::string(text.substr(0, 200)));
  T value;
  read(json, value, what);
  return value;
}

/// Text that may hold bytes of any encoding (a stranger's exception): replaced, not thrown at.
inline std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace nearfar::wire
