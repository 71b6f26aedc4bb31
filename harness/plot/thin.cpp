#include "plot/thin.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace nearfar::plot {
namespace {

constexpr double kTolerance = 0.25;

double distance(Place a, Place b) { return std::hypot(a.x - b.x, a.y - b.y); }

/// From the segment a-b, not from the line through it: the line may turn back.
double distance_from_segment(Place place, Place a, Place b) {
  const double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
  if (length == 0) return distance(place, a);
  const double along = std::clamp(((place.x - a.x) * dx + (place.y - a.y) * dy) / length, 0.0, 1.0);
  return distance(place, {a.x + along * dx, a.y + along * dy});
}

/// Without those that lie on the one kept before; the last one stays.
std::vector<std::size_t> apart(const std::vector<Place>& places) {
  std::vector<std::size_t> kept{0};
  for (std::size_t i = 1; i < places.size(); ++i) {
    if (i + 1 == places.size() || distance(places[i], places[kept.back()]) > kTolerance) kept.push_back(i);
  }
  return kept;
}

}  // namespace

std::vector<std::size_t> visible_points(const std::vector<Place>& places, std::size_t few) {
  std::vector<std::size_t> kept(places.size());
  std::iota(kept.begin(), kept.end(), std::size_t{0});
  if (places.size() <= std::max(few, std::size_t{2})) return kept;
  const std::vector<std::size_t> candidates = apart(places);
  std::vector<bool> stays(candidates.size(), false);
  stays.front() = stays.back() = true;
  std::vector<std::pair<std::size_t, std::size_t>> open{{0, candidates.size() - 1}};
  while (!open.empty()) {
    const auto [first, last] = open.back();
    open.pop_back();
    double largest = 0;
    std::size_t farthest = first;
    for (std::size_t i = first + 1; i < last; ++i) {
      const double off =
          distance_from_segment(places[candidates[i]], places[candidates[first]], places[candidates[last]]);
      if (off > largest) {
        largest = off;
        farthest = i;
      }
    }
    if (largest <= kTolerance) continue;
    stays[farthest] = true;
    open.emplace_back(first, farthest);
    open.emplace_back(farthest, last);
  }
  kept.clear();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (stays[i]) kept.push_back(candidates[i]);
  }
  return kept;
}

}  // namespace nearfar::plot
