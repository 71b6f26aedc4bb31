#include "report/selective_numbers.h"

#include "metrics/selective.h"
#include "report/order.h"
#include "report/select.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

void add(std::vector<LeaderboardNumber>& numbers, std::string_view group, const std::string& dataset,
         const SelectiveRisk& risk) {
  for (const auto& [metric, value] : {std::pair("aurc", risk.aurc), std::pair("augrc", risk.augrc)})
    numbers.push_back({.group = std::string(group),
                       .dataset = dataset,
                       .metric = metric,
                       .value = {value, 0, 1},
                       .by_seed = {value}});
}

/// Numbers of the seeds put together; all have the same ones, or there is nothing.
std::vector<LeaderboardNumber> over_seeds(const std::vector<std::vector<LeaderboardNumber>>& seeds) {
  std::vector<LeaderboardNumber> numbers = seeds.front();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i].by_seed.clear();
    for (const std::vector<LeaderboardNumber>& seed : seeds) {
      if (seed.size() != numbers.size() || seed[i].dataset != numbers[i].dataset) return {};
      numbers[i].by_seed.push_back(seed[i].value.mean);
    }
    numbers[i].value = mean_std(numbers[i].by_seed);
  }
  return numbers;
}

}  // namespace

std::vector<LeaderboardNumber> selective_numbers(const Evidence& evidence, std::string_view protocol) {
  std::vector<double> scores;
  std::vector<std::uint8_t> correct;
  std::string dataset = "test";
  for (const auto& [set, of_set] : evidence.scores) {
    const bool shifted = protocol == "fsood" && set.starts_with("csid/");
    if (set != "test" && !shifted) continue;
    const auto marks = evidence.correct.find(set);
    if (marks == evidence.correct.end()) return {};
    if (shifted) dataset = "test+csid";
    scores.insert(scores.end(), of_set.begin(), of_set.end());
    correct.insert(correct.end(), marks->second.begin(), marks->second.end());
  }
  if (scores.empty()) return {};
  std::vector<LeaderboardNumber> numbers;
  add(numbers, "id", dataset, selective_risk(scores, correct));
  for (const GroupInfo& group : kOodGroups) {
    if (!group.has_means) continue;
    std::vector<double> ood;
    for (const auto& [set, of_set] : evidence.scores) {
      if (set.starts_with(fmt::format("{}/", group.key))) ood.insert(ood.end(), of_set.begin(), of_set.end());
    }
    if (!ood.empty())
      add(numbers, group.key, fmt::format("{}+{}", dataset, group.key), selective_risk(scores, correct, ood));
  }
  return numbers;
}

void add_selective(Leaderboard& leaderboard, const Results& results, const EvidenceOf& evidence) {
  const std::vector<SelectedBoard> selected = select_boards(results.frame, results.filter);
  for (LeaderboardBoard& board : leaderboard.boards) {
    const auto of_board = std::ranges::find_if(selected, [&](const SelectedBoard& one) {
      return one.benchmark == board.benchmark && one.protocol == board.protocol && one.data_hash == board.data_hash;
    });
    for (LeaderboardRow& row : board.rows) {
      const auto of_row = std::ranges::find(of_board->rows, static_cast<const RowName&>(row), &SelectedRow::name);
      std::vector<std::vector<LeaderboardNumber>> seeds;
      for (const SelectedSeed& seed : of_row->seeds)
        seeds.push_back(selective_numbers(evidence(*seed.subject), board.protocol));
      row.selective = over_seeds(seeds);
    }
  }
}

}  // namespace nearfar
