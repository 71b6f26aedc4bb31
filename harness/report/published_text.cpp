#include "report/published_text.h"

#include "report/joined.h"
#include "report/order.h"
#include "report/row_text.h"

#include <fmt/core.h>

#include <map>
#include <set>

namespace nearfar {

std::string published_percent(const PublishedNumber* number) {
  if (number == nullptr) return "–";
  std::string text = fmt::format("{:.2f}", number->mean * 100);
  if (number->std) text += fmt::format(" ± {:.2f}", *number->std * 100);
  return number->doubt.empty() ? text : text + " ?";
}

std::string number_name(std::string_view group, std::string_view dataset, std::string_view metric) {
  const std::size_t place = place_of(metric, kMetrics);
  return fmt::format("{} {} {}", group, dataset, place < kMetrics.size() ? kMetrics[place].title : metric);
}

std::string method_name(const PublishedRow& row) { return row.training.name + " " + row.postprocessor.name; }

std::vector<ReportTable> published_tables(const LeaderboardBoard& board, const std::vector<PublishedSource>& sources) {
  if (board.published.empty()) return {};
  ReportTable table{.title = fmt::format("Published elsewhere: {}", board_title(board)),
                    .above = {"Not made here and not ranked: as others have published it. ? = not to be trusted."},
                    .header = {"training", "postprocessor", "network", "near AUROC", "far AUROC", "near FPR@95",
                               "far FPR@95", "published in"},
                    .is_number = {false, false, false, true, true, true, true, false}};
  std::map<std::string, std::set<std::string>> methods_by_doubt;
  for (const PublishedRow& row : board.published) {
    const auto cell = [&](const char* group, const char* metric) {
      return TableCell{published_percent(row.number(group, "mean", metric))};
    };
    table.rows.push_back({{row.training.name},
                          {row.postprocessor.name},
                          {row.architecture.name},
                          cell("near", "auroc"),
                          cell("far", "auroc"),
                          cell("near", "fpr95"),
                          cell("far", "fpr95"),
                          {row.source, "quiet"}});
    for (const PublishedNumber& number : row.numbers) {
      if (!number.doubt.empty()) methods_by_doubt[number.doubt].insert(method_name(row));
    }
  }
  for (const PublishedSource& source : sources)
    table.above.push_back(fmt::format("{}: {} ({}).", source.name, source.reference, source.date));
  if (methods_by_doubt.empty()) table.above.front() = "Not made here and not ranked: as others have published it.";
  for (const auto& [doubt, methods] : methods_by_doubt)
    table.above.push_back(fmt::format("? {}: {}.", joined(methods, ", "), doubt));
  return {table};
}

}  // namespace nearfar
