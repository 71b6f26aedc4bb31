#include "plot/labels.h"

#include <algorithm>

namespace nearfar::plot {
namespace {

constexpr double kSize = 11, kPoint = 5;

bool overlap(const Box& a, const Box& b) {
  return a.left < b.right() && b.left < a.right() && a.top < b.bottom() && b.top < a.bottom();
}

struct Side {
  double dx, dy;
  Anchor anchor;
};
constexpr Side kSides[] = {{8, 4, Anchor::start},   {-8, 4, Anchor::end},   {0, -9, Anchor::middle},
                           {0, 17, Anchor::middle}, {6, -6, Anchor::start}, {6, 14, Anchor::start},
                           {-6, -6, Anchor::end},   {-6, 14, Anchor::end}};

/// What a text at this place covers; its line is a little above the lower edge.
Box covered(Place at, Anchor anchor, double width) {
  const double left = anchor == Anchor::start ? at.x : anchor == Anchor::end ? at.x - width : at.x - width / 2;
  return {left, at.y - 0.8 * kSize, width, kSize};
}

}  // namespace

std::vector<std::optional<LabelPlace>> place_labels(const Box& box, const std::vector<Place>& points,
                                                    const std::vector<std::string>& labels) {
  std::vector<Box> taken;
  for (const Place& point : points) taken.push_back({point.x - kPoint, point.y - kPoint, 2 * kPoint, 2 * kPoint});
  std::vector<std::optional<LabelPlace>> places(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (labels[i].empty()) continue;
    const double width = text_width(labels[i], kSize);
    for (const Side& side : kSides) {
      const Place at{points[i].x + side.dx, points[i].y + side.dy};
      const Box needed = covered(at, side.anchor, width);
      const bool inside = needed.left >= box.left && needed.right() <= box.right() && needed.top >= box.top &&
                          needed.bottom() <= box.bottom();
      if (!inside || std::ranges::any_of(taken, [&](const Box& other) { return overlap(needed, other); })) continue;
      places[i] = LabelPlace{at, side.anchor};
      taken.push_back(needed);
      break;
    }
  }
  return places;
}

}  // namespace nearfar::plot
