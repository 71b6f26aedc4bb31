#pragma once
/// Private to report/: published numbers as texts. Pure functions.
#include "report/leaderboard.h"
#include "report/tables.h"

#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// "93.21 ± 0.12", without the deviation where none was published, "–" for nullptr; with "?" where it is not to be
/// trusted.
std::string published_percent(const PublishedNumber* number);
/// "near mean AUROC", "far svhn FPR@95".
std::string number_name(std::string_view group, std::string_view dataset, std::string_view metric);
/// "CE KNN".
std::string method_name(const PublishedRow& row);
/// A board's published rows by their means; no table without such rows.
std::vector<ReportTable> published_tables(const LeaderboardBoard& board, const std::vector<PublishedSource>& sources);

}  // namespace nearfar
