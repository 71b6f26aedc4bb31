#pragma once
/// One benchmark: what it is, and what is known on it. Pure functions, safe from any thread.
#include "report/leaderboard.h"
#include "report/tables.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nearfar {

/// What its definition says, as plain values: the definition's own types belong to data/.
struct BenchmarkFacts {
  struct Set {
    std::string name = {}, group = {};  ///< "near/svhn", "near"
    std::int64_t count = 0;             ///< expected images; 0 = not known
  };
  struct Protocol {
    std::string name = {};
    std::vector<std::string> csid = {};  ///< sets that are pooled with `test`
  };
  std::string name = {}, title = {}, file = {}, identity = {};  ///< identity: a hash of what it says besides its sets
  std::int64_t class_count = 0, channels = 0, height = 0, width = 0;
  std::vector<Set> sets = {};  ///< in the order of the file
  std::vector<Protocol> protocols = {};
  std::vector<BenchmarkRecord> measured = {};  ///< states of its data that results were made of
};

/// How hard an OOD set is for the ranked rows of a board.
struct SetDifficulty {
  std::string group = {}, dataset = {};
  std::int64_t image_count = 0;  ///< measured; 0 = not known
  std::size_t rows = 0;
  double mean = 0, lowest = 0, highest = 0;  ///< AUROC, fractions
};
/// The hardest first. Empty without ranked rows.
std::vector<SetDifficulty> set_difficulty(const LeaderboardBoard& board, const BenchmarkFacts& facts);

/// The best ranked row (report/leaderboard.h says by what) of each postprocessor, or of each loss, best first.
std::vector<const LeaderboardRow*> best_of_each(const LeaderboardBoard& board, std::string RowName::*what);

/// `leaderboard`: boards of this benchmark alone, none where there are no results.
TablesReport benchmark_report(const BenchmarkFacts& facts, const Leaderboard& leaderboard, const Published& published);
/// Fractions; the boards as in leaderboard_json().
std::string benchmark_json(const BenchmarkFacts& facts, const Leaderboard& leaderboard, const Published& published);

}  // namespace nearfar
