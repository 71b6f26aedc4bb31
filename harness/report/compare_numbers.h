#pragma once
/// Private to report/: the numbers of two rows of one board, with their intervals; of compare and of ablation. Pure but
/// for the scores.
#include "report/compare.h"
#include "report/compare_pairs.h"

#include <optional>
#include <span>
#include <string_view>

namespace nearfar {

/// A mean over the sets of a group: ("near", "auroc").
struct WantedNumber {
  std::string_view group, metric;
  bool operator==(const WantedNumber&) const = default;
};

/// Everything of `wanted`, in the order of groups and metrics (order.h); empty: all means, and AUROC of each set. p is
/// not adjusted for other pairs. nullopt: the rows have no seed in common. Errors as of compare_rows().
std::optional<ComparedPair> compare_pair(const RowPair& pair, const CompareRequest& request, const ScoresOf& scores,
                                         std::span<const WantedNumber> wanted = {});

}  // namespace nearfar
