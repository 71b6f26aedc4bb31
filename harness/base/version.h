#pragma once
/// Versions of plugins and what is asked of them: "1.2.0" and "knn@>=1.2,<2". Pure functions.
///
/// A version is numbers between dots, perhaps "-" and a pre-release, perhaps "+" and a build, as on https://semver.org
/// (2.0.0, section 11): compared number by number, a missing one is 0; a pre-release lies before its release; builds
/// do not count. What is no number is compared as text and lies after every number.
#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

std::weak_ordering compare_versions(std::string_view a, std::string_view b);

/// What a version must satisfy: conditions with commas between them, all of which must hold.
///
///   1.2.0, =1.2.0   that one; fewer numbers are a beginning: 1.2 is every 1.2.x
///   >=1.2  >1.2     from 1.2.0; from 1.3.0
///   <2  <=1.2       before 2.0.0 and its pre-releases; before 1.3.0
///   ^1.2  ^0.2      from 1.2.0, before the next of the first number that is not 0: before 2; before 0.3
class VersionRequirement {
 public:
  VersionRequirement() = default;  ///< satisfied by all

  /// Error(config) that says what was found and how it is written.
  explicit VersionRequirement(std::string_view text);

  bool accepts(std::string_view version) const;
  bool empty() const { return bounds_.empty(); }

 private:
  enum class Side { at_least, above, below, at_most };
  struct Bound {
    Side side = Side::at_least;
    std::string version = {};
  };
  void add(std::string_view condition, std::string_view whole);
  std::vector<Bound> bounds_;
};

/// "knn@>=1.2, <2" → {"knn", ">=1.2,<2"}: the name by plugin_key(), the requirement without blanks, "" where there is
/// none. Error(config) for a requirement that VersionRequirement does not read.
struct WantedPlugin {
  std::string name = {}, requirement = {};

  std::string text() const { return requirement.empty() ? name : name + "@" + requirement; }
};
WantedPlugin wanted_plugin(std::string_view text);

}  // namespace nearfar
