#pragma once
/// Where labels go beside their points without lying on each other. Private to plot/. Pure.
#include "plot/frame.h"
#include "plot/svg.h"

#include <optional>
#include <string>
#include <vector>

namespace nearfar::plot {

struct LabelPlace {
  Place at = {};
  Anchor anchor = Anchor::start;
};

/// One for each point, none where no side of it is free: tried are right, left, above, below and the corners, within
/// the box, clear of all points and of the labels before it. Text is 11 units high.
std::vector<std::optional<LabelPlace>> place_labels(const Box& box, const std::vector<Place>& points,
                                                    const std::vector<std::string>& labels);

}  // namespace nearfar::plot
