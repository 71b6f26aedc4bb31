#pragma once
/// Private to report/: facts of rows, and the axes in which rows differ. Pure functions.
#include "report/ablation_panels.h"

#include <vector>

namespace nearfar {

/// Facts of a row by the names that axes have.
PanelRow facts_of_row(const SelectedRow& row);

/// Fills in `levels` of the rows, and facts that some lack (their default where any row tells it, else "default").
/// `only`: no other facts are axes; empty: all but loss, model and postprocessor. `drawn`: every fact is an axis of its
/// own. Axes by name.
std::vector<AblationAxis> find_axes(std::vector<PanelRow>& rows, const std::vector<std::string>& only, bool drawn);

}  // namespace nearfar
