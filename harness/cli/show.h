#pragma once
/// A cell's status as JSON, for `status` and `show`.
#include "store/results.h"

#include <nlohmann/json_fwd.hpp>

namespace nearfar {

nlohmann::json status_json(const CellStatus& cell);

}  // namespace nearfar
