#include "config/condition.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace nearfar {
namespace {

std::optional<double> number_of(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&value.data)) return *number;
  return std::nullopt;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.'; }

}  // namespace

bool same_value(const Value& value, const Value& wanted) {
  if (const Value::List* list = value.list())
    return std::any_of(list->begin(), list->end(), [&](const Value& one) { return same_value(one, wanted); });
  if (const auto number = number_of(value)) return number == number_of(wanted);
  if (const auto* boolean = std::get_if<bool>(&value.data)) {
    const auto* other = std::get_if<bool>(&wanted.data);
    return other != nullptr && *other == *boolean;
  }
  const auto* text = std::get_if<std::string>(&value.data);
  const auto* other = std::get_if<std::string>(&wanted.data);
  return text != nullptr && other != nullptr && (*text == *other || plugin_key(*text) == plugin_key(*other));
}

/// From left to right, one token at a time.
class Condition::Reader {
 public:
  Reader(std::string_view text, std::string_view where, std::vector<std::string>& keys)
      : text_(text), where_(where), keys_(keys) {}

  Node whole() {
    Node node = any();
    if (!peek().empty()) fail("the end, 'and' or 'or'");
    return node;
  }

 private:
  Node any() {
    return chain("or", Kind::any, [this] { return all(); });
  }
  Node all() {
    return chain("and", Kind::all, [this] { return factor(); });
  }

  template <class Part>
  Node chain(std::string_view word, Kind kind, const Part& part) {
    Node first = part();
    if (peek() != word) return first;
    Node node{.kind = kind};
    node.parts.push_back(std::move(first));
    while (peek() == word) {
      take();
      node.parts.push_back(part());
    }
    return node;
  }

  Node factor() {
    if (peek() == "not") {
      take();
      Node node{.kind = Kind::none};
      node.parts.push_back(factor());
      return node;
    }
    if (peek() != "(") return comparison();
    take();
    Node node = any();
    if (peek() != ")") fail("')'");
    take();
    return node;
  }

  Node comparison() {
    if (peek().empty() || !is_word(peek().front())) fail("a key like train.lr");
    Node node{.kind = Kind::compare, .parts = {}, .key = std::string(take())};
    if (std::find(keys_.begin(), keys_.end(), node.key) == keys_.end()) keys_.push_back(node.key);
    static constexpr std::array<std::string_view, 7> kRelations = {"==", "!=", "<", "<=", ">", ">=", "in"};
    if (std::find(kRelations.begin(), kRelations.end(), peek()) == kRelations.end())
      fail(fmt::format("==, !=, <, <=, >, >= or in after '{}'", node.key));
    node.relation = take();
    if (node.relation == "in") {
      if (peek() != "[") fail("a list like [1, 2] after 'in'");
      take();
      node.values.push_back(value());
      while (peek() == ",") {
        take();
        node.values.push_back(value());
      }
      if (peek() != "]") fail("']'");
      take();
    } else {
      node.values.push_back(value());
      if (node.relation.find_first_of("<>") != std::string::npos && !number_of(node.values[0]))
        fail("a number", "before this place");
    }
    return node;
  }

  Value value() {
    const std::string_view token = peek();
    if (token.empty() || (!is_word(token.front()) && token.front() != '"' && token.front() != '\'' && token[0] != '+'))
      fail("a value");
    return parse_argument(take(), where_);
  }

  /// The next token; empty at the end.
  std::string_view peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    const std::string_view rest = text_.substr(at_);
    if (rest.empty()) return rest;
    if (rest[0] == '"' || rest[0] == '\'') {
      const std::size_t end = rest.find(rest[0], 1);
      if (end == std::string_view::npos) fail("the other quote of this text");
      return rest.substr(0, end + 1);
    }
    if (is_word(rest[0]) || rest[0] == '+') {
      std::size_t end = 1;
      while (end < rest.size() && is_word(rest[end])) ++end;
      return rest.substr(0, end);
    }
    const bool two = rest.size() > 1 && rest[1] == '=' && std::string_view("=!<>").find(rest[0]) != std::string::npos;
    return rest.substr(0, two ? 2 : 1);
  }

  std::string_view take() {
    const std::string_view token = peek();
    at_ += token.size();
    return token;
  }

  [[noreturn]] void fail(std::string_view expected, std::string_view place = "") const {
    const std::string_view rest = text_.substr(std::min(at_, text_.size()));
    const std::string found = !place.empty() ? std::string(place)
                              : rest.empty() ? "at its end"
                                             : fmt::format("before '{}'", rest);
    fail_at(where_, fmt::format("the condition '{}' wants {} {}", text_, expected, found));
  }

  std::string_view text_, where_;
  std::vector<std::string>& keys_;
  std::size_t at_ = 0;
};

Condition::Condition(std::string_view text, std::string_view where) : text_(text), where_(where) {
  root_ = Reader(text_, where_, keys_).whole();
}

bool Condition::holds(const std::function<const Value*(const std::string& key)>& value_of) const {
  return holds(root_, value_of);
}

bool Condition::holds(const Node& node, const std::function<const Value*(const std::string& key)>& value_of) {
  const auto part_holds = [&](const Node& part) { return holds(part, value_of); };
  switch (node.kind) {
    case Kind::any:
      return std::any_of(node.parts.begin(), node.parts.end(), part_holds);
    case Kind::all:
      return std::all_of(node.parts.begin(), node.parts.end(), part_holds);
    case Kind::none:
      return !part_holds(node.parts[0]);
    case Kind::compare:
      break;
  }
  const Value* value = value_of(node.key);
  if (value == nullptr) return node.relation == "!=";
  if (node.relation.find_first_of("<>") != std::string::npos) {
    const auto number = number_of(*value), bound = number_of(node.values[0]);
    if (!number) return false;
    if (node.relation == "<") return *number < *bound;
    if (node.relation == "<=") return *number <= *bound;
    if (node.relation == ">") return *number > *bound;
    return *number >= *bound;
  }
  const bool same = std::any_of(node.values.begin(), node.values.end(),
                                [&](const Value& wanted) { return same_value(*value, wanted); });
  return node.relation == "!=" ? !same : same;
}

}  // namespace nearfar
