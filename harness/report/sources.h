#pragma once
/// Leaderboards of results that several people made. Pure functions, safe from any thread.
#include "report/leaderboard.h"

#include <string>

namespace nearfar {

/// Rows of `other` under the boards of `leaderboard` (same benchmark, data and protocol; else a board of their own),
/// after its own: without rank, "unverified", as of `source`. Ranks of other rows do not change.
void add_unverified(Leaderboard& leaderboard, const Leaderboard& other, const std::string& source);

}  // namespace nearfar
