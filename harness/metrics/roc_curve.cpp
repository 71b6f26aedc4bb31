#include "metrics/roc_curve.h"

#include "metrics/sorted_scores.h"

#include <algorithm>
#include <cstddef>

namespace nearfar {
namespace {

struct Counts {
  std::size_t id = 0, ood = 0;
};

/// Whether b lies on the way from a to c, whole numbers telling it exactly.
bool is_straight(const Counts& a, const Counts& b, const Counts& c) {
  return (b.id - a.id) * (c.ood - b.ood) == (c.id - b.id) * (b.ood - a.ood);
}

}  // namespace

std::vector<RocPoint> roc_curve(std::span<const double> id, std::span<const double> ood) {
  const SortedScores<double> ids(id, Side::id), oods(ood, Side::ood);
  std::vector<Counts> kept{{}};
  Counts seen;
  while (seen.id < ids.size() || seen.ood < oods.size()) {
    // Keys from the highest down; 0 is below every score's, and both sides are not at their end.
    const auto next = [](const SortedScores<double>& side, std::size_t done) {
      return done < side.size() ? side.keys()[side.size() - 1 - done] : SortedScores<double>::Key{0};
    };
    const auto key = std::max(next(ids, seen.id), next(oods, seen.ood));
    while (seen.id < ids.size() && next(ids, seen.id) == key) ++seen.id;
    while (seen.ood < oods.size() && next(oods, seen.ood) == key) ++seen.ood;
    if (kept.size() > 1 && is_straight(kept[kept.size() - 2], kept.back(), seen)) kept.pop_back();
    kept.push_back(seen);
  }
  std::vector<RocPoint> points;
  points.reserve(kept.size());
  for (const Counts& counts : kept) {
    points.push_back({static_cast<double>(counts.id) / static_cast<double>(ids.size()),
                      static_cast<double>(counts.ood) / static_cast<double>(oods.size())});
  }
  return points;
}

}  // namespace nearfar
