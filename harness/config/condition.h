#pragma once
/// Conditions of a sweep: `losses == "reweightood" and not (train.lr > 0.1 or train.epochs in [1, 2])`.
///
///   condition  = term { "or" term }          term   = factor { "and" factor }
///   factor     = "not" factor | "(" condition ")" | KEY == VALUE | KEY in [VALUE, …]      (also != < <= > >=)
///
/// A value is a number, true, false, or text in quotes or, of one word, without. A key that holds a list equals each of
/// its elements. Plain values, safe from any thread.
#include "config/document.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// 1 and 1.0 are the same; `temp_scaling` and `temp-scaling` too; a list is the same as any of its elements.
bool same_value(const Value& value, const Value& wanted);

class Condition {
 public:
  /// Error(config) "where: …" with the place in the text.
  Condition(std::string_view text, std::string_view where);

  /// Every key that is named, once.
  const std::vector<std::string>& keys() const { return keys_; }
  const std::string& text() const { return text_; }
  const std::string& where() const { return where_; }
  /// `value_of` gives the value of a key, or nullptr where it is not set: then every comparison but != is false.
  bool holds(const std::function<const Value*(const std::string& key)>& value_of) const;

 private:
  class Reader;
  enum class Kind { any, all, none, compare };
  struct Node {
    Kind kind = Kind::compare;
    std::vector<Node> parts = {};
    std::string key = {}, relation = {};
    std::vector<Value> values = {};
  };
  static bool holds(const Node& node, const std::function<const Value*(const std::string& key)>& value_of);

  std::string text_, where_;
  Node root_;
  std::vector<std::string> keys_;
};

}  // namespace nearfar
