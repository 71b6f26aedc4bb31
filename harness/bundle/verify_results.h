#pragma once
/// Private to bundle/: checks of what a database claims. Each appends to `checks`. Pure but for score files, which are
/// read. Safe from any thread.
#include "bundle/verify.h"
#include "store/evidence.h"

#include <vector>

namespace nearfar {

/// Hashes of configs, and whether the two texts of each say the same.
void check_configs(const StoredEvidence& evidence, const Canonical& canonical, std::vector<Check>& checks);

/// That keys are hashes of identities, and that cells are what their identities say.
void check_identities(const StoredEvidence& evidence, std::vector<Check>& checks);

/// Score files, their counts, and every metric of every evaluation and accuracy cell. `bundled`: files must lie beside
/// the database.
void check_numbers(const StoredEvidence& evidence, bool bundled, std::vector<Check>& checks);

}  // namespace nearfar
