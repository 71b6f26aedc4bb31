#include "base/csv.h"
#include "report/leaderboard_forms.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

namespace nearfar {

std::string leaderboard_csv(const Leaderboard& leaderboard) {
  std::string csv =
      "training,postprocessor,architecture,benchmark,protocol,group,dataset,metric,mean,std,seeds,"
      "recipe,training_params,postprocessor_params,flags\n";
  for (const LeaderboardBoard& board : leaderboard.boards) {
    std::vector<const LeaderboardRow*> rows;
    for (const LeaderboardRow& row : board.rows) rows.push_back(&row);
    std::ranges::sort(rows, {}, [](const LeaderboardRow* row) -> const RowName& { return *row; });
    for (const LeaderboardRow* row : rows) {
      for (const LeaderboardNumber& number : row->numbers) {
        csv += fmt::format("{},{},{},{},{},{},{},{},{:.4f},{:.4f},{},{},{},{},{}\n", csv_field(row->training),
                           csv_field(row->postprocessor), csv_field(row->architecture), csv_field(board.benchmark),
                           csv_field(board.protocol), csv_field(number.group), csv_field(number.dataset),
                           csv_field(number.metric), number.value.mean * 100, number.value.std * 100, number.value.n,
                           csv_field(row->recipe), csv_field(row->training_params),
                           csv_field(row->postprocessor_params), csv_field(row->flags));
      }
    }
  }
  return csv;
}

}  // namespace nearfar
