#include "base/text.h"
#include "config/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

/// The value as a person would write it, for messages.
std::string shown(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.data)) return fmt::format("text '{}'", *text);
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return fmt::format("integer {}", *integer);
  if (const auto* number = std::get_if<double>(&value.data)) return fmt::format("number {}", number_text(*number));
  if (const auto* boolean = std::get_if<bool>(&value.data)) return *boolean ? "true" : "false";
  return type_name(value);
}

/// "train.lr" within "[train]", "losses" at the top level.
std::string described(std::string_view key, std::string_view section) {
  return section.starts_with('[') ? fmt::format("'{}' in {}", key, section) : fmt::format("'{}'", key);
}

[[noreturn]] void wrong_type(const Value& value, std::string_view key, std::string_view section,
                             std::string_view wanted) {
  fail_at(value.where, fmt::format("{} takes {}, found {}", described(key, section), wanted, shown(value)));
}

std::string range_text(double minimum, double maximum) {
  constexpr double kHuge = 9.2e18;
  const bool low = minimum > -kHuge, high = maximum < kHuge;
  if (low && high) return fmt::format("from {} to {}", number_text(minimum), number_text(maximum));
  if (low) return fmt::format("of at least {}", number_text(minimum));
  if (high) return fmt::format("of at most {}", number_text(maximum));
  return "that is finite";
}

std::string as_text(const Value& value, std::string_view key, std::string_view section) {
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
  if (!value.raw.empty()) return value.raw;  // name=123 on a command line is meant as text
  wrong_type(value, key, section, "text in quotes");
}

/// A list, or one element that stands for a list of one.
template <class T, class Read>
void read_list(const Value& value, std::vector<T>& target, Read read) {
  std::vector<T> elements;
  if (const Value::List* list = value.list()) {
    for (const Value& element : *list) elements.push_back(read(element));
  } else {
    elements.push_back(read(value));
  }
  target = std::move(elements);
}

double as_number(const Value& value, std::string_view key, std::string_view section) {
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&value.data)) return *number;
  wrong_type(value, key, section, "a number");
}

}  // namespace

Section::Section(const Value* table, std::string name) : value_(table), name_(std::move(name)) {
  if (value_ && !value_->table()) fail_at(value_->where, fmt::format("{} is a table, found {}", name_, shown(*value_)));
}

const Value* Section::find(std::string_view key) {
  known_.emplace(key);
  if (!value_) return nullptr;
  const auto found = value_->table()->find(key);
  return found == value_->table()->end() ? nullptr : &found->second;
}

const Value* Section::find_table(std::string_view key) {
  const Value* value = find(key);
  if (value && !value->table()) wrong_type(*value, key, name_, "a table");
  return value;
}

std::string Section::where(std::string_view key) const {
  if (!value_) return "";
  const auto found = value_->table()->find(key);
  return found == value_->table()->end() ? value_->where : found->second.where;
}

bool Section::read(std::string_view key, bool& target) {
  const Value* value = find(key);
  if (!value) return false;
  const auto* boolean = std::get_if<bool>(&value->data);
  if (!boolean) wrong_type(*value, key, name_, "true or false");
  target = *boolean;
  return true;
}

bool Section::read(std::string_view key, std::int64_t& target, std::int64_t minimum, std::int64_t maximum) {
  const Value* value = find(key);
  if (!value) return false;
  const auto* integer = std::get_if<std::int64_t>(&value->data);
  if (!integer || *integer < minimum || *integer > maximum) {
    wrong_type(*value, key, name_,
               "an integer " + range_text(static_cast<double>(minimum), static_cast<double>(maximum)));
  }
  target = *integer;
  return true;
}

bool Section::read(std::string_view key, double& target, double minimum, double maximum) {
  const Value* value = find(key);
  if (!value) return false;
  const double number = as_number(*value, key, name_);
  if (!(number >= minimum && number <= maximum))
    wrong_type(*value, key, name_, "a number " + range_text(minimum, maximum));
  target = number;
  return true;
}

bool Section::read(std::string_view key, std::string& target, std::initializer_list<std::string_view> choices) {
  const Value* value = find(key);
  if (!value) return false;
  std::string text = as_text(*value, key, name_);
  if (choices.size() != 0 && std::find(choices.begin(), choices.end(), text) == choices.end()) {
    const std::vector<std::string> names(choices.begin(), choices.end());
    fail_at(value->where, fmt::format("{} takes {}, found '{}'{}", described(key, name_), join(names, " or "), text,
                                      suggestion(text, names)));
  }
  target = std::move(text);
  return true;
}

bool Section::read(std::string_view key, std::filesystem::path& target) {
  std::string text;
  if (!read(key, text)) return false;
  target = text;
  return true;
}

bool Section::read(std::string_view key, std::vector<std::string>& target) {
  const Value* value = find(key);
  if (value) read_list(*value, target, [&](const Value& element) { return as_text(element, key, name_); });
  return value != nullptr;
}

bool Section::read(std::string_view key, std::vector<std::int64_t>& target, std::int64_t minimum) {
  const Value* value = find(key);
  if (!value) return false;
  read_list(*value, target, [&](const Value& element) {
    const auto* integer = std::get_if<std::int64_t>(&element.data);
    if (!integer || *integer < minimum) {
      wrong_type(element, key, name_,
                 "integers " + range_text(static_cast<double>(minimum), std::numeric_limits<double>::max()));
    }
    return *integer;
  });
  return true;
}

bool Section::read(std::string_view key, std::vector<double>& target) {
  const Value* value = find(key);
  if (!value) return false;
  read_list(*value, target, [&](const Value& element) {
    const double number = as_number(element, key, name_);
    if (!std::isfinite(number)) wrong_type(element, key, name_, "finite numbers");
    return number;
  });
  return true;
}

void Section::finish() const {
  if (!value_) return;
  for (const auto& [key, value] : *value_->table()) {
    if (known_.contains(key)) continue;
    const std::vector<std::string> candidates(known_.begin(), known_.end());
    const std::string section = name_.starts_with('[') ? "in " + name_ : "at " + name_;
    fail_at(value.key_where, fmt::format("unknown key '{}' {}{}", key, section, suggestion(key, candidates)));
  }
}

}  // namespace nearfar
