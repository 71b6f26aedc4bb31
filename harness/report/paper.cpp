/// Published tables in their own layout, ours beside them.
#include "report/order.h"
#include "report/published_text.h"
#include "report/reproduction.h"
#include "report/reproduction_rows.h"
#include "report/row_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace nearfar {
namespace {

/// The order of ReweightOOD's tables.
constexpr std::array<std::string_view, 4> kPaperMetrics = {"fpr95", "auroc", "aupr_in", "aupr_out"};

bool has_single_sets(const PublishedRow& row) {
  return std::ranges::any_of(row.numbers, [](const PublishedNumber& n) { return n.dataset != "mean"; });
}

/// Sets of a group in the order of the publication, then their mean.
std::vector<std::string> datasets_of(const PublishedRow& row, std::string_view group) {
  std::vector<std::string> names;
  for (const PublishedNumber& number : row.numbers) {
    if (number.group == group && std::ranges::find(names, number.dataset) == names.end())
      names.push_back(number.dataset);
  }
  std::ranges::stable_partition(names, [](const std::string& name) { return name != "mean"; });
  return names;
}

/// `ours` may be nullptr.
TableCell our_cell(const ReproducedRow* ours, std::string_view group, std::string_view dataset,
                   std::string_view metric) {
  if (ours == nullptr) return {"–", "quiet"};
  const auto found = std::ranges::find_if(ours->numbers, [&](const ReproducedNumber& n) {
    return n.published.group == group && n.published.dataset == dataset && n.published.metric == metric;
  });
  if (found == ours->numbers.end()) return {"–", "quiet"};
  return {percent_text(&found->ours), found->is_within ? "good" : "bad"};
}

std::string title_of(const PublishedRow& row) {
  return fmt::format("{} with {} ({}): {}, protocol {}", row.training.name, row.postprocessor.name,
                     row.architecture.name, row.benchmark, row.protocol);
}

ReportTable table_of(const PublishedRow& row, const ReproducedRow* ours) {
  ReportTable table{.title = title_of(row), .header = {"data set"}, .is_number = {false}};
  for (const std::string_view metric : kPaperMetrics) {
    table.header.emplace_back(kMetrics[place_of(metric, kMetrics)].title);
    table.header.emplace_back("ours");
    table.is_number.insert(table.is_number.end(), {true, true});
  }
  if (ours == nullptr) {
    table.above.emplace_back("No result of ours yet.");
  } else {
    std::string text = fmt::format("Ours: {} {}", ours->ours.training, ours->ours.postprocessor);
    if (!ours->ours.training_params.empty()) text += fmt::format(" ({})", ours->ours.training_params);
    text += fmt::format(", seeds {}", seed_list(ours->seeds));
    if (!ours->flags.empty()) text += fmt::format("; {}", ours->flags);
    table.above.push_back(text + ".");
  }
  for (const GroupInfo& group : kGroups) {
    for (const std::string& dataset : datasets_of(row, group.key)) {
      std::vector<TableCell> cells = {{dataset == "mean" ? fmt::format("{} mean", group.title) : dataset}};
      for (const std::string_view metric : kPaperMetrics) {
        cells.push_back({published_percent(row.number(group.key, dataset, metric))});
        cells.push_back(our_cell(ours, group.key, dataset, metric));
      }
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

}  // namespace

TablesReport paper_report(const Leaderboard& leaderboard, const Published& published,
                          const ReproductionRequest& request) {
  TablesReport report{.title = "Published tables and ours"};
  std::set<std::string> sources;
  std::size_t with_result = 0, count = 0;
  for (const PublishedRow& row : published.rows) {
    if (!has_single_sets(row)) continue;
    sources.insert(row.source);
    ++count;
    const std::vector<ReproducedRow> beside = rows_beside(leaderboard, row, request);
    if (!beside.empty()) ++with_result;
    if (beside.empty()) report.tables.push_back(table_of(row, nullptr));
    for (const ReproducedRow& ours : beside) report.tables.push_back(table_of(row, &ours));
  }
  report.summary.push_back(count == 0 ? "No publication here has numbers of single data sets."
                                      : fmt::format("{} of {} tables have a result of ours.", with_result, count));
  report.notes.emplace_back(
      "Percent, mean ± population standard deviation over seeds. In-distribution is the positive class of AUPR-in, OOD "
      "of AUPR-out; FPR@95 is the share of in-distribution images above the threshold that finds 95 % of the OOD "
      "ones.");
  for (const PublishedSource& source : published.sources) {
    if (sources.contains(source.name) && !source.reference.empty())
      report.notes.push_back(fmt::format("{}: {}; state of {}.", source.name, source.reference, source.date));
  }
  return report;
}

}  // namespace nearfar
