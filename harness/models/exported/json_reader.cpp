#include "models/exported/json_reader.h"

#include "base/error.h"
#include "models/mismatch.h"

#include <fmt/format.h>

#include <limits>

namespace nearfar::exported {
namespace {
constexpr std::size_t kMaxText = 128u << 20;
constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxValues = 20'000'000;
constexpr std::size_t kMaxName = 1024;
}  // namespace

void JsonReader::fail(const std::string& where, const std::string& what) const {
  throw Error(ErrorKind::data, fmt::format("{}: not a program that can be read: {}{}", source_,
                                           where.empty() ? "" : where + ": ", what));
}

JsonReader::Json JsonReader::parse(std::string_view text) const {
  if (text.size() > kMaxText)
    fail("", fmt::format("its graph is {} bytes, at most {} are read", text.size(), kMaxText));
  std::size_t count = 0;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kMaxDepth) fail("", fmt::format("its JSON is nested deeper than {}", kMaxDepth));
    if (++count > kMaxValues) fail("", fmt::format("its JSON has more than {} values", kMaxValues));
    if (event != Json::parse_event_t::key) return true;
    return value != "metadata" && value != "module_call_graph" && value != "treespec_namedtuple_fields";
  };
  try {
    Json document = Json::parse(text, watch);
    if (!document.is_object()) fail("", "its graph is no JSON object");
    return document;
  } catch (const nlohmann::json::exception& error) {
    fail("", fmt::format("its graph is no JSON ({})", printable(error.what())));
  }
}

const JsonReader::Json& JsonReader::member(const Json& object, const char* name, const std::string& where) const {
  if (!object.is_object()) fail(where, fmt::format("found {}, expected an object", object.type_name()));
  const auto found = object.find(name);
  if (found == object.end()) fail(where, fmt::format("'{}' is missing", name));
  return *found;
}

const JsonReader::Json& JsonReader::list(const Json& object, const char* name, const std::string& where) const {
  const Json& value = member(object, name, where);
  if (!value.is_array()) fail(where, fmt::format("'{}' is {}, expected a list", name, value.type_name()));
  return value;
}

const JsonReader::Json& JsonReader::table(const Json& object, const char* name, const std::string& where) const {
  const Json& value = member(object, name, where);
  if (!value.is_object()) fail(where, fmt::format("'{}' is {}, expected an object", name, value.type_name()));
  return value;
}

std::string JsonReader::text(const Json& object, const char* name, const std::string& where) const {
  const Json& value = member(object, name, where);
  if (!value.is_string()) fail(where, fmt::format("'{}' is {}, expected text", name, value.type_name()));
  std::string result = value.get<std::string>();
  if (result.size() > kMaxName) fail(where, fmt::format("'{}' is {} bytes long", name, result.size()));
  return result;
}

std::int64_t JsonReader::integer(const Json& value, const std::string& where) const {
  const bool fits =
      value.is_number_integer() &&
      (!value.is_number_unsigned() ||
       value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (!fits)
    fail(where, fmt::format("found {}, expected an integer",
                            printable(value.dump(-1, ' ', true, Json::error_handler_t::replace))));
  return value.get<std::int64_t>();
}

bool JsonReader::flag(const Json& value, const std::string& where) const {
  if (!value.is_boolean()) fail(where, fmt::format("found {}, expected true or false", value.type_name()));
  return value.get<bool>();
}

double JsonReader::real(const Json& value, const std::string& where) const {
  if (value.is_number()) return value.get<double>();
  if (value == "Infinity") return std::numeric_limits<double>::infinity();
  if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
  fail(where, fmt::format("found {}, expected a number", value.type_name()));
}

JsonReader::Choice JsonReader::choice(const Json& value, const std::string& where) const {
  if (!value.is_object() || value.size() != 1)
    fail(where, fmt::format("found {}, expected an object with one member", value.type_name()));
  return {value.begin().key(), value.begin().value()};
}

}  // namespace nearfar::exported
