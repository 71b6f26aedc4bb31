#pragma once
/// The command that makes one cell again. Pure but for the database.
#include "store/results.h"

#include <string>

namespace nearfar {

/// One `nearfar run` line, quoted for a shell, that runs this cell and what it needs in a folder of its own: everything
/// that its experiment says as overrides, paths of this machine among them. "" where no experiment has the cell any
/// more, so that nobody knows what was asked for.
std::string reproduce_command(const ResultStore& results, const CellDetails& cell);

}  // namespace nearfar
