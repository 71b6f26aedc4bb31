#pragma once
/// Automatic parameter search, as OpenOOD's evaluation does it: every point of a grid, or of a list of drawn points, is
/// fitted and scored on ID val against ood_val; the first strict maximum of AUROC wins. Test sets are never looked at.
#include "engine/scoring.h"
#include "features/folder.h"
#include "host/call.h"
#include "host/grid.h"

#include <string>
#include <vector>

namespace nearfar {

struct SearchPoint {
  ParamMap params;   ///< of the grid
  double auroc = 0;  ///< fraction
  std::string
      refused;  ///< why the plugin cannot take this point here (k above the number of train images); then no AUROC
};

struct SearchResult {
  ParamMap chosen;       ///< of the grid
  std::size_t ties = 0;  ///< points other than the chosen one with the same AUROC: the first of them all was chosen
  std::vector<SearchPoint> trace;
};

/// The columns of a point, by its complete parameters. Empty for postprocessors that do not look inside the network.
using PointColumns = std::function<Columns(const ParamMap& params)>;

/// `fixed`: parameters outside the grid. Points that the plugin refuses with Error(config) are left out and recorded.
/// Error(data) naming the point for scores that are not finite; Error(config) if every point is refused, or none is
/// above 0.
SearchResult tune(const LoadedPlugin& plugin, const ParamMap& fixed, const ParamGrid& grid, const FeatureFolder& folder,
                  at::Device device, const PointColumns& columns = {});

}  // namespace nearfar
