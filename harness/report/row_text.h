#pragma once
/// Private to report/: texts that the forms of a leaderboard share. Pure functions.
#include "report/leaderboard.h"

#include <string>
#include <vector>

namespace nearfar {

/// "93.21 ± 0.12", without the deviation for one seed, "–" for nullptr.
std::string percent_text(const MeanStd* value);

/// What all rows of a board have in common, "" where they differ: said once, not in every row.
struct SharedValues {
  std::string architecture, recipe;
};
SharedValues shared_values(const LeaderboardBoard& board);
/// Architecture and recipe where rows differ in them, and the parameters: {"resnet8", "temperature=0.2"}.
std::vector<std::string> training_details(const SharedValues& shared, const LeaderboardRow& row);
/// "supcon (temperature=0.2)"; with architecture and recipe where the board has more than one.
std::string training_text(const SharedValues& shared, const LeaderboardRow& row);
std::string postprocessor_text(const LeaderboardRow& row);
/// "94.10 ± 0.02 (ncm)".
std::string accuracy_text(const LeaderboardRow& row);
/// "2 (1–4)", "1" where the interval is one rank or not known, "–" where unranked.
std::string rank_text(const LeaderboardRow& row);
/// "2", with what is special: "2; partial", "1; other seeds".
std::string seeds_text(const LeaderboardRow& row);
/// "0, 1".
std::string seed_list(const std::vector<std::int64_t>& seeds);

/// "smoke, protocol ood".
std::string board_title(const LeaderboardBoard& board);

/// Sentences for below the tables: how rows are ranked and told apart, what is missing and why. Plain text.
std::vector<std::string> footnotes(const Leaderboard& leaderboard);

}  // namespace nearfar
