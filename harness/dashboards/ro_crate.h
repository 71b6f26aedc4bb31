#pragma once
/// A research object (RO-Crate 1.1, profile Process Run Crate 0.5): a copy of the database, the leaderboard, the
/// configs and the score files with their checksums, and what ran: an action for every cell, with the programs and
/// plugins that it was done by. https://w3id.org/ro/crate/1.1, https://w3id.org/ro/wfrun/process/0.5
#include "dashboards/source.h"

#include <cstdint>
#include <filesystem>

namespace nearfar {

/// Into an empty folder. `database`: the file that `source` reads, to be copied as a whole; "" = it is on a server, and
/// no copy is made. Returns how many score files are not on this machine and so are left out. Error(data) for one that
/// is here and is not what the run wrote.
std::int64_t export_ro_crate(const ExportSource& source, const std::filesystem::path& database,
                             const std::filesystem::path& folder);

}  // namespace nearfar
