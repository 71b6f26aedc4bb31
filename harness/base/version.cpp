#include "base/version.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace nearfar {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// By value, however long: a version comes from a stranger.
std::strong_ordering compare_numbers(std::string_view a, std::string_view b) {
  const auto strip = [](std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  };
  strip(a);
  strip(b);
  return a.size() != b.size() ? a.size() <=> b.size() : a <=> b;
}

std::weak_ordering compare_parts(std::string_view a, std::string_view b) {
  const bool first = is_number(a), second = is_number(b);
  if (first && second) return compare_numbers(a, b);
  // semver.org 11.4.3 says so of pre-releases; a version's own parts are numbers there, a stranger's need not be.
  if (first != second) return first ? std::weak_ordering::less : std::weak_ordering::greater;
  return a <=> b;
}

struct Parts {
  std::vector<std::string> numbers, pre_release;
};

Parts parts_of(std::string_view version) {
  version = version.substr(0, version.find('+'));
  const std::size_t dash = version.find('-');
  Parts parts{split(version.substr(0, dash), '.'), {}};
  if (dash != std::string_view::npos) parts.pre_release = split(version.substr(dash + 1), '.');
  return parts;
}

/// The version after all that begin with these numbers.
std::string next_of(std::vector<std::string> numbers) {
  std::string& last = numbers.back();
  std::size_t i = last.size();
  while (i > 0 && last[i - 1] == '9') last[--i] = '0';
  if (i == 0) {
    last.insert(0, "1");
  } else {
    ++last[i - 1];
  }
  return join(numbers, ".");
}

[[noreturn]] void refuse(std::string_view found, std::string_view whole) {
  throw Error(ErrorKind::config,
              fmt::format("'{}' in '@{}' is no condition on a version; expected 1.2.0, =1.2.0, >=1.2, >1.2, <2, <=1.2 "
                          "or ^1.2, several with a comma between them, as in \"knn@>=1.2,<2\"",
                          found, whole));
}

}  // namespace

std::weak_ordering compare_versions(std::string_view a, std::string_view b) {
  const Parts first = parts_of(a), second = parts_of(b);
  static const std::string zero = "0";
  for (std::size_t i = 0; i < std::max(first.numbers.size(), second.numbers.size()); ++i) {
    const auto at = [&](const Parts& parts) -> const std::string& {
      return i < parts.numbers.size() ? parts.numbers[i] : zero;
    };
    if (const auto order = compare_parts(at(first), at(second)); order != 0) return order;
  }
  if (first.pre_release.empty() != second.pre_release.empty())
    return first.pre_release.empty() ? std::weak_ordering::greater : std::weak_ordering::less;
  const std::size_t both = std::min(first.pre_release.size(), second.pre_release.size());
  for (std::size_t i = 0; i < both; ++i) {
    if (const auto order = compare_parts(first.pre_release[i], second.pre_release[i]); order != 0) return order;
  }
  return first.pre_release.size() <=> second.pre_release.size();
}

VersionRequirement::VersionRequirement(std::string_view text) {
  for (const std::string& condition : split(text, ',')) add(trim(condition), text);
}

void VersionRequirement::add(std::string_view condition, std::string_view whole) {
  const std::size_t digits = std::min(condition.find_first_not_of("<>=^"), condition.size());
  const std::string_view sign = condition.substr(0, digits), version = trim(condition.substr(digits));
  const std::vector<std::string> numbers = parts_of(version).numbers;
  const bool known =
      sign.empty() || sign == "=" || sign == ">=" || sign == ">" || sign == "<" || sign == "<=" || sign == "^";
  const bool readable = std::ranges::all_of(version, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
           c == '+';
  });
  if (!known || !readable || numbers.empty() || !std::ranges::all_of(numbers, is_number)) refuse(condition, whole);
  const bool is_whole = numbers.size() >= 3 || version.find('-') != std::string_view::npos;
  const auto bound = [&](Side side, std::string at) { bounds_.push_back({side, std::move(at)}); };
  // "2.0.0-0" is the least of all that are called 2.0.0.
  const auto before = [&](std::string at) { bound(Side::below, at.find('-') == std::string::npos ? at + "-0" : at); };
  const std::string text(version);
  if (sign == ">" && !is_whole) return bound(Side::at_least, next_of(numbers));
  if (sign == "<=" && !is_whole) return before(next_of(numbers));
  if (sign == ">") return bound(Side::above, text);
  if (sign == "<=") return bound(Side::at_most, text);
  if (sign == "<") return before(text);
  bound(Side::at_least, text);
  if (sign == ">=") return;
  if (sign == "^") {
    const auto first =
        std::ranges::find_if(numbers, [](const auto& one) { return one.find_first_not_of('0') != std::string::npos; });
    return before(next_of({numbers.begin(), first == numbers.end() ? first : std::next(first)}));
  }
  is_whole ? bound(Side::at_most, text) : before(next_of(numbers));
}

bool VersionRequirement::accepts(std::string_view version) const {
  return std::ranges::all_of(bounds_, [&](const Bound& bound) {
    const std::weak_ordering order = compare_versions(version, bound.version);
    switch (bound.side) {
      case Side::at_least:
        return order >= 0;
      case Side::above:
        return order > 0;
      case Side::below:
        return order < 0;
      case Side::at_most:
        break;
    }
    return order <= 0;
  });
}

WantedPlugin wanted_plugin(std::string_view text) {
  const std::size_t at = text.find('@');
  WantedPlugin wanted{.name = plugin_key(trim(text.substr(0, at)))};
  if (at == std::string_view::npos) return wanted;
  for (const std::string& condition : split(text.substr(at + 1), ','))
    wanted.requirement += (wanted.requirement.empty() ? "" : ",") + replace_all(std::string(trim(condition)), " ", "");
  static_cast<void>(VersionRequirement(wanted.requirement));
  return wanted;
}

}  // namespace nearfar
