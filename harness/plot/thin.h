#pragma once
/// Which points of a line can be seen. Private to plot/. Pure.
#include "plot/svg.h"

#include <cstddef>
#include <vector>

namespace nearfar::plot {

/// Indices, ascending, first and last among them, such that the line through these places is nowhere farther than half
/// a unit from a place left out: neighbours within a quarter of a unit are one point, then Ramer-Douglas-Peucker with a
/// quarter of a unit. Quick for any number of places of a curve; all of them where there are at most `few`.
std::vector<std::size_t> visible_points(const std::vector<Place>& places, std::size_t few = 200);

}  // namespace nearfar::plot
