#pragma once
/// What `show` prints about a cell, for `serve` as well. Pure, safe from any thread.
#include "store/results.h"

#include <string>

namespace nearfar {

/// `reproduce`: the command that makes it again, may be empty.
std::string details_text(const CellDetails& details, const std::string& reproduce);

}  // namespace nearfar
