#pragma once
/// Cells as JSON: what `status --json` and `show --json` print and `serve` answers. Pure, safe from any thread.
#include "store/results.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace nearfar {

/// One cell of `status`.
nlohmann::json status_json(const CellStatus& cell);

/// Everything about one cell. `reproduce`: the command that makes it again, may be empty.
nlohmann::json details_json(const CellDetails& details, const std::string& reproduce);

/// The loss that trained the model and the postprocessor of the newest run: those that are known.
std::vector<PluginRecord> plugins_of(const CellDetails& details);
/// "1.2.0, tier exact, source 0123456789ab, file 0123456789ab": hashes by their beginning.
std::string plugin_text(const PluginRecord& plugin);

/// The cell's, and what was found out while it ran: "count-mismatch;partial".
std::string flags_of(const CellDetails& details);

}  // namespace nearfar
