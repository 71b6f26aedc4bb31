#pragma once
/// The names of a benchmark's image sets: train, val, test, ood_val, and near/NAME, far/NAME, csid/NAME, control/NAME.
/// Std only; pure, safe from any thread.
#include <algorithm>
#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace nearfar {

/// The sets that every benchmark calls the same.
namespace sets {
inline constexpr std::string_view kTrain = "train", kVal = "val", kTest = "test", kOodVal = "ood_val";
/// In the order in which they are listed, before those of the groups.
inline constexpr std::array kFixed{kTrain, kVal, kTest, kOodVal};
}  // namespace sets

namespace groups {
inline constexpr std::string_view kId = "id",            ///< train, val, test
    kOodVal = "ood_val",                                 ///< for parameter searches
    kNear = "near", kFar = "far", kControl = "control",  ///< scored against the ID side; a control is in no mean
    kCsid = "csid";                                      ///< covariate-shifted, but of the ID classes
/// Whose sets are named GROUP/NAME, in the order in which they are listed.
inline constexpr std::array kNamed{kNear, kFar, kCsid, kControl};
/// In the order in which a report shows them.
inline constexpr std::array kReported{kId, kNear, kFar, kControl};
}  // namespace groups

/// Its sets are named GROUP/NAME.
constexpr bool is_named_group(std::string_view group) {
  return std::find(groups::kNamed.begin(), groups::kNamed.end(), group) != groups::kNamed.end();
}

/// Scored as out-of-distribution: near, far, control. (ood_val is for searches, csid is on the ID side.)
constexpr bool is_ood_group(std::string_view group) {
  return group == groups::kNear || group == groups::kFar || group == groups::kControl;
}

/// Its images have the benchmark's classes as labels: id, csid.
constexpr bool is_labelled_group(std::string_view group) { return group == groups::kId || group == groups::kCsid; }

struct SetName {
  std::string group;  ///< id, ood_val, near, far, csid, control
  std::string name;   ///< "train", or the part behind the slash

  /// "train", "near/mnist".
  std::string text() const { return is_named_group(group) ? group + "/" + name : name; }
  auto operator<=>(const SetName&) const = default;
};

/// Nothing for a text that names no set. NAME is of letters, digits, '-', '_' and '.', and does not begin with '.'.
inline std::optional<SetName> parse_set_name(std::string_view text) {
  if (text == sets::kOodVal) return SetName{std::string(groups::kOodVal), std::string(text)};
  if (text == sets::kTrain || text == sets::kVal || text == sets::kTest)
    return SetName{std::string(groups::kId), std::string(text)};
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view group = text.substr(0, slash), name = text.substr(slash + 1);
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (!is_named_group(group) || name.empty() || name.front() == '.' || !std::all_of(name.begin(), name.end(), plain))
    return {};
  return SetName{std::string(group), std::string(name)};
}

}  // namespace nearfar
