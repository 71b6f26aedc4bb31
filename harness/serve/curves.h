#pragma once
/// Curves of a training, as JSON and as small charts. Pure, safe from any thread.
#include "store/results.h"

#include <string>
#include <vector>

namespace nearfar {

struct Curve {
  std::string name = {};
  std::vector<CurvePoint> points = {};  ///< by step
};

/// In the order in which names first come.
std::vector<Curve> curves_of(const Outcome& outcome);

/// A figure of plot/: over epochs, which count from 1.
std::string curve_svg(const Curve& curve);

/// {"key", "label", "state", "curves": [{"name", "points": [[step, value], …]}], "note"}. `note` says why there are
/// none: points are stored when a training has ended.
std::string curves_json(const CellDetails& details);
/// The same sentence for a page; "" where there are curves or can be none.
std::string curves_note(const CellDetails& details);

}  // namespace nearfar
