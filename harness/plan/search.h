#pragma once
/// From what a config says about the search of a postprocessor's parameters (config/tune.h) and the plugin's table to
/// the points that are tried. Pure.
#include "config/experiment.h"
#include "host/description.h"
#include "host/grid.h"

#include <string>

namespace nearfar {

struct SearchPlan {
  ParamGrid grid = {};  ///< empty: nothing is searched
  /// For people and for telling rows of a report apart: "openood", "{k=5,50}", "{50 random points of seed 0:
  /// k=between(1,500)}". Two searches with the same text try the same points.
  std::string text = {};
};

/// With `search`, so many different points: drawn by its seed, in the order in which they are drawn; where there are no
/// more than that, every one of them, as a grid. Error(config) with file:line:column: a parameter that the plugin does
/// not have, a value or a bound that it does not take, a declared range that nobody can draw from, fewer points than
/// trials between numbers that lie too close. Parameters that `choice` gives are left out of the plugin's own grid.
SearchPlan plan_search(const PluginDescription& plugin, const PostprocessorChoice& choice);

}  // namespace nearfar
