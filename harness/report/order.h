#pragma once
/// The groups of data sets and the metrics of a report: in which order, under which title. Nothing else orders or names
/// them.
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace nearfar {

struct GroupInfo {
  std::string_view key, title;
  std::string_view role;   ///< for people, may be empty
  bool has_means = false;  ///< its sets are averaged
};
inline constexpr std::array<GroupInfo, 4> kGroups = {{{"id", "In-distribution", "", false},
                                                      {"near", "Near-OOD", "", true},
                                                      {"far", "Far-OOD", "", true},
                                                      {"control", "Control", "in no mean", false}}};
/// Without "id".
inline constexpr std::span<const GroupInfo> kOodGroups = std::span(kGroups).subspan(1);

struct MetricInfo {
  std::string_view key, title;
  bool lower_is_better = false;
};
inline constexpr std::array<MetricInfo, 5> kMetrics = {{{"auroc", "AUROC", false},
                                                        {"fpr95", "FPR@95", true},
                                                        {"aupr_in", "AUPR-in", false},
                                                        {"aupr_out", "AUPR-out", false},
                                                        {"accuracy", "accuracy", false}}};
/// Those that compare an OOD set with the in-distribution one.
inline constexpr std::span<const MetricInfo> kOodMetrics = std::span(kMetrics).first(4);

/// Place of a key in one of the lists above; unknown ones come last.
template <class List>
constexpr std::size_t place_of(std::string_view key, const List& list) {
  const auto found = std::ranges::find_if(list, [&](const auto& info) { return info.key == key; });
  return static_cast<std::size_t>(found - std::begin(list));
}

}  // namespace nearfar
