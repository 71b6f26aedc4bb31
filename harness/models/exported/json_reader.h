#pragma once
/// Strict reading of a JSON document that a stranger wrote. Internal to models/exported.
#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace nearfar::exported {

/// Reads members of JSON values; whatever is not as asked for is Error(data) "SOURCE: WHERE: …".
class JsonReader {
 public:
  using Json = nlohmann::json;
  explicit JsonReader(std::string source) : source_(std::move(source)) {}

  /// The document, with limits on size, depth and number of values that hold while it is read; what only serves people
  /// (metadata, call signatures) is left out.
  Json parse(std::string_view text) const;
  [[noreturn]] void fail(const std::string& where, const std::string& what) const;

  const Json& member(const Json& object, const char* name, const std::string& where) const;
  const Json& list(const Json& object, const char* name, const std::string& where) const;
  const Json& table(const Json& object, const char* name, const std::string& where) const;
  std::string text(const Json& object, const char* name, const std::string& where) const;
  std::int64_t integer(const Json& value, const std::string& where) const;
  bool flag(const Json& value, const std::string& where) const;
  /// Numbers, and "Infinity", "-Infinity", "NaN".
  double real(const Json& value, const std::string& where) const;

  /// The format's unions: an object with one member, whose name says what it is.
  struct Choice {
    std::string kind;
    const Json& value;
  };
  Choice choice(const Json& value, const std::string& where) const;

 private:
  std::string source_;
};

}  // namespace nearfar::exported
