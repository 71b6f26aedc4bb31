#pragma once
/// A cell as JSON and as text, for `status`, `show` and `report cell`.
#include "store/results.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace nearfar {

nlohmann::json status_json(const CellStatus& cell);

/// Everything that is known of it. `reproduce`: cli/reproduce.h.
nlohmann::json details_json(const CellDetails& details, const std::string& reproduce);
std::string details_text(const CellDetails& details, const std::string& reproduce);

/// The cell's, and what was found out while it ran.
std::string flags_of(const CellDetails& details);

}  // namespace nearfar
