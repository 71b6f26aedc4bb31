#include "report/reproduction.h"

#include "base/text.h"
#include "report/reproduction_rows.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace nearfar {
namespace {

/// Without what only tells rows of one name apart: factors by their full names, the head, the file of a model.
std::string plain_params(const std::string& shown) {
  std::vector<std::string> entries = split(shown, ';');
  std::erase_if(entries, [](const std::string& entry) {
    const std::string key = entry.substr(0, entry.find('='));
    return entry.empty() || key == "head" || key == "file" || key.find('.') != std::string::npos;
  });
  return join(entries, ";");
}

/// Place in the list of parameters that are the published method: the smaller, the better. nullopt: they are not.
std::optional<std::size_t> place_in(const std::optional<std::vector<std::string>>& accepted, const std::string& shown) {
  if (!accepted) return 0;
  const auto found = std::ranges::find_if(
      *accepted, [&](const std::string& params) { return params == shown || params == plain_params(shown); });
  if (found == accepted->end()) return std::nullopt;
  return static_cast<std::size_t>(found - accepted->begin());
}

/// Rows of ours that are the published one, with the parameters that are preferred.
std::vector<const LeaderboardRow*> rows_of(const LeaderboardBoard& board, const PublishedRow& published) {
  std::map<std::pair<std::size_t, std::size_t>, std::vector<const LeaderboardRow*>> by_place;
  for (const LeaderboardRow& row : board.rows) {
    if (row.training != published.training.key || row.postprocessor != published.postprocessor.key ||
        row.architecture != published.architecture.key)
      continue;
    const auto training = place_in(published.training_params, row.training_params);
    const auto postprocessor = place_in(published.postprocessor_params, row.postprocessor_params);
    if (training && postprocessor) by_place[{*postprocessor, *training}].push_back(&row);
  }
  return by_place.empty() ? std::vector<const LeaderboardRow*>{} : by_place.begin()->second;
}

bool is_of(const LeaderboardBoard& board, const PublishedRow& published) {
  return board.benchmark == published.benchmark && board.protocol == published.protocol;
}

ReproducedRow compare_published(const PublishedRow& published, const LeaderboardBoard& board, const LeaderboardRow& row,
                                const ReproductionRequest& request) {
  ReproducedRow result{
      .published = published, .data_hash = board.data_hash, .ours = row, .flags = row.flags, .seeds = row.seeds};
  for (const PublishedNumber& number : published.numbers) {
    const MeanStd* ours = row.number(number.group, number.dataset, number.metric);
    if (ours == nullptr) continue;
    ReproducedNumber compared{.published = number, .ours = *ours, .difference = ours->mean - number.mean};
    compared.bound = number.std ? request.k * *number.std : request.points;
    // Both are decimals that binary fractions only come near to.
    compared.is_within = std::abs(compared.difference) <= compared.bound + 1e-12;
    result.numbers.push_back(std::move(compared));
  }
  return result;
}

}  // namespace

std::vector<ReproducedRow> rows_beside(const Leaderboard& leaderboard, const PublishedRow& published,
                                       const ReproductionRequest& request) {
  std::vector<ReproducedRow> rows;
  if (!published.is_known()) return rows;
  for (const LeaderboardBoard& board : leaderboard.boards) {
    if (!is_of(board, published)) continue;
    for (const LeaderboardRow* row : rows_of(board, published)) {
      ReproducedRow compared = compare_published(published, board, *row, request);
      if (!compared.numbers.empty()) rows.push_back(std::move(compared));
    }
  }
  return rows;
}

Reproduction reproduce(const Leaderboard& leaderboard, const Published& published, const ReproductionRequest& request) {
  Reproduction result{.request = request, .sources = published.sources, .unmapped = published.unmapped};
  for (const PublishedRow& row : published.rows) {
    const auto count = static_cast<std::int64_t>(row.numbers.size());
    result.published_count += count;
    if (!row.is_known()) result.unknown_count += count;
    std::set<std::string> found;
    for (ReproducedRow& compared : rows_beside(leaderboard, row, request)) {
      for (const ReproducedNumber& number : compared.numbers) {
        found.insert(number.published.group + "/" + number.published.dataset + "/" + number.published.metric);
        if (!number.published.doubt.empty()) {
          ++result.doubted_count;
          continue;
        }
        ++result.compared_count;
        if (number.is_within) ++result.within_count;
        result.largest = std::max(result.largest, std::abs(number.difference));
      }
      result.rows.push_back(std::move(compared));
    }
    if (row.is_known()) result.without_result_count += count - static_cast<std::int64_t>(found.size());
  }
  return result;
}

}  // namespace nearfar
