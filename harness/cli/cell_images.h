#pragma once
/// The images behind the positions of a cell's scores, where this machine has them.
#include "report/cell.h"
#include "store/results.h"

#include <string>
#include <vector>

namespace nearfar {

/// Fills in files and pictures, from the benchmark and the data root that the cell's experiment names. Never fails:
/// what cannot be had is told in `notes`, a sentence each.
void add_pictures(const ResultStore& results, const CellDetails& cell, MostConfused& confused,
                  std::vector<std::string>& notes);

}  // namespace nearfar
