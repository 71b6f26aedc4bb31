#include "cli/scores.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/npy.h"

#include <fmt/format.h>

#include <span>
#include <string_view>

namespace nearfar {

void check_scores(const CellDetails& cell) {
  namespace fs = std::filesystem;
  if (cell.outcome.scores.empty()) {
    throw Error(ErrorKind::nothing,
                fmt::format("cell '{}' ({}, {}) has no scores; only finished eval cells do, and accuracy cells say "
                            "which images are right",
                            cell.status.label, kind_name(cell.status.kind), state_name(cell.status.state)));
  }
  for (const ScoreSetRow& row : cell.outcome.scores) {
    if (const fs::path file = cell.location / row.path; !fs::exists(file) || sha256_file(file) != row.sha256) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: is not the file that the run wrote (missing or changed); run the experiment again",
                              file.string()));
    }
  }
}

Scores read_scores(const Session& session, const std::string& cell_key) {
  const auto cell = session.results().find(cell_key);
  if (!cell) throw Error(ErrorKind::store, fmt::format("{}: cell {} is gone", session.name(), cell_key));
  check_scores(*cell);
  Scores scores;
  for (const ScoreSetRow& row : cell->outcome.scores)
    scores.emplace(row.set, converted<double>(NpyArray(cell->location / row.path)));
  return scores;
}

Correct read_correct(const Session& session, const std::string& cell_key) {
  Correct correct;
  if (cell_key.empty()) return correct;
  const auto cell = session.results().find(cell_key);
  if (!cell) throw Error(ErrorKind::store, fmt::format("{}: cell {} is gone", session.name(), cell_key));
  if (cell->outcome.scores.empty()) return correct;
  check_scores(*cell);
  constexpr std::string_view kPrefix = "correct/";
  for (const ScoreSetRow& row : cell->outcome.scores) {
    if (!row.set.starts_with(kPrefix)) continue;
    const NpyArray array(cell->location / row.path);
    const std::span<const std::uint8_t> marks = array.values<std::uint8_t>(1);
    correct.emplace(row.set.substr(kPrefix.size()), std::vector(marks.begin(), marks.end()));
  }
  return correct;
}

}  // namespace nearfar
