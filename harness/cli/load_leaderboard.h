#pragma once
/// The leaderboard that `report`, `run` and `serve` show: with rank intervals, from scores where they can be read.
#include "report/leaderboard.h"
#include "report/results.h"
#include "store/session.h"

namespace nearfar {

/// Defined in report.cpp. Error(store).
Leaderboard load_leaderboard(const Session& session, const ReportFilter& filter);

}  // namespace nearfar
