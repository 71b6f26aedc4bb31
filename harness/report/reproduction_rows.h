#pragma once
/// Private to report/.
#include "report/reproduction.h"

#include <vector>

namespace nearfar {

/// A published row with each row of ours that stands for it, by board. Numbers that ours lacks are left out, and rows
/// without any number.
std::vector<ReproducedRow> rows_beside(const Leaderboard& leaderboard, const PublishedRow& published,
                                       const ReproductionRequest& request);

}  // namespace nearfar
