#include "wire/messages.h"

#include <fmt/format.h>

namespace nearfar::wire {
namespace {

/// The alternative of AnyMessage whose type is named.
template <std::size_t I = 0>
AnyMessage read_as(const std::string& type, const Json& json) {
  if constexpr (I == std::variant_size_v<AnyMessage>) {
    refuse("message", fmt::format("has the unknown type '{}'", type));
  } else {
    using T = std::variant_alternative_t<I, AnyMessage>;
    if (type != T::kType) return read_as<I + 1>(type, json);
    T message;
    read(json, message, type);
    return message;
  }
}

}  // namespace

std::string line_of(const AnyMessage& message) {
  return std::visit(
      [](const auto& held) {
        Json json = to_json(held);
        json["type"] = held.kType;
        return dump(json);
      },
      message);
}

AnyMessage message_of(std::string_view line) {
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) refuse("message", fmt::format("is no JSON object: {}", line.substr(0, 200)));
  const auto type = json.find("type");
  if (type == json.end() || !type->is_string()) refuse("message.type", "is missing");
  const auto name = type->get<std::string>();
  json.erase(type);  // it says which list of fields follows, and is none of them
  return read_as(name, json);
}

}  // namespace nearfar::wire
