#include "report/benchmark_report.h"

#include "base/text.h"
#include "report/leaderboard_forms.h"
#include "report/order.h"
#include "report/published_text.h"
#include "report/row_text.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace nearfar {
namespace {

using Json = nlohmann::ordered_json;

/// "1,234" would be read in two ways; "–" where it is not known.
std::string count_text(std::int64_t count) { return count > 0 ? std::to_string(count) : "–"; }

/// Of the newest state of the data that results were made of.
std::int64_t measured_count(const BenchmarkFacts& facts, std::string_view data_hash, std::string_view group,
                            std::string_view name) {
  for (const BenchmarkRecord& record : facts.measured) {
    if (!data_hash.empty() && record.data_hash != data_hash) continue;
    for (const BenchmarkSet& set : record.sets) {
      if (set.group == group && set.name == name) return set.image_count;
    }
  }
  return 0;
}

/// "near/svhn" -> "svhn".
std::string bare_name(const std::string& name) {
  const std::size_t slash = name.find('/');
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

ReportTable sets_table(const BenchmarkFacts& facts) {
  ReportTable table{
      .title = "Image sets", .header = {"set", "group", "expected images"}, .is_number = {false, false, true}};
  const bool has_results = !facts.measured.empty();
  if (has_results) {
    table.header.emplace_back("measured");
    table.is_number.push_back(true);
  }
  for (const BenchmarkFacts::Set& set : facts.sets) {
    std::vector<TableCell> cells = {{set.name}, {set.group}, {count_text(set.count)}};
    if (has_results) {
      const std::int64_t measured =
          measured_count(facts, facts.measured.front().data_hash, set.group, bare_name(set.name));
      const bool differs = measured > 0 && set.count > 0 && measured != set.count;
      cells.push_back({count_text(measured), differs ? "bad" : ""});
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

ReportTable protocols_table(const BenchmarkFacts& facts) {
  ReportTable table{.title = "Protocols", .header = {"protocol", "in-distribution"}, .is_number = {false, false}};
  for (const BenchmarkFacts::Protocol& protocol : facts.protocols) {
    const std::string pooled = join(protocol.csid, ", ");
    table.rows.push_back({{protocol.name}, {pooled.empty() ? "test" : "test, pooled with " + pooled}});
  }
  return table;
}

ReportTable best_table(const LeaderboardBoard& board, std::string RowName::*what, const char* title) {
  ReportTable table{.title = fmt::format("{}, protocol {}", title, board.protocol),
                    .header = {"rank", "training", "postprocessor", "near AUROC", "far AUROC", "seeds"},
                    .is_number = {true, false, false, true, true, true}};
  const SharedValues shared = shared_values(board);
  for (const LeaderboardRow* row : best_of_each(board, what)) {
    table.rows.push_back({{rank_text(*row)},
                          {training_text(shared, *row)},
                          {postprocessor_text(*row)},
                          {percent_text(row->number("near", "mean", "auroc"))},
                          {percent_text(row->number("far", "mean", "auroc"))},
                          {seeds_text(*row)}});
  }
  return table;
}

ReportTable difficulty_table(const LeaderboardBoard& board, const BenchmarkFacts& facts) {
  ReportTable table{.title = fmt::format("How hard the sets are, protocol {}", board.protocol),
                    .above = {"AUROC of the ranked rows; the hardest set first."},
                    .header = {"set", "group", "images", "mean AUROC", "lowest", "highest", "rows"},
                    .is_number = {false, false, true, true, true, true, true}};
  const auto percent = [](double fraction) { return TableCell{fmt::format("{:.2f}", fraction * 100)}; };
  for (const SetDifficulty& set : set_difficulty(board, facts)) {
    table.rows.push_back({{set.dataset},
                          {set.group},
                          {count_text(set.image_count)},
                          percent(set.mean),
                          percent(set.lowest),
                          percent(set.highest),
                          {std::to_string(set.rows)}});
  }
  return table;
}

/// What it is, in sentences.
std::vector<std::string> summary_of(const BenchmarkFacts& facts, const Leaderboard& leaderboard) {
  std::vector<std::string> lines = {
      facts.title.empty() ? facts.name : fmt::format("{}: {}.", facts.name, facts.title),
      fmt::format("{} classes; images of {} x {} x {} (channels, height, width). Definition: {} ({}).",
                  facts.class_count, facts.channels, facts.height, facts.width, facts.file, facts.identity)};
  for (const BenchmarkRecord& record : facts.measured) {
    std::size_t rows = 0;
    std::set<std::string> protocols;
    for (const LeaderboardBoard& board : leaderboard.boards) {
      if (board.data_hash != record.data_hash) continue;
      rows = std::max(rows, board.rows.size());
      protocols.insert(board.protocol);
    }
    lines.push_back(fmt::format("Results: {} rows on the images of manifest {}; protocols: {}.", rows,
                                record.data_hash.substr(0, 16),
                                join(std::vector<std::string>(protocols.begin(), protocols.end()), ", ")));
  }
  if (facts.measured.empty()) lines.emplace_back("No results of ours on it in this database.");
  return lines;
}

}  // namespace

std::vector<SetDifficulty> set_difficulty(const LeaderboardBoard& board, const BenchmarkFacts& facts) {
  std::vector<SetDifficulty> sets;
  for (const BenchmarkSet& set : board.sets) {
    if (set.group == "control") continue;
    std::vector<double> values;
    for (const LeaderboardRow& row : board.rows) {
      const MeanStd* value = row.number(set.group, set.name, "auroc");
      if (row.rank && value != nullptr) values.push_back(value->mean);
    }
    if (values.empty()) continue;
    sets.push_back({.group = set.group,
                    .dataset = set.name,
                    .image_count = measured_count(facts, board.data_hash, set.group, set.name),
                    .rows = values.size(),
                    .mean = mean_std(values).mean,
                    .lowest = std::ranges::min(values),
                    .highest = std::ranges::max(values)});
  }
  std::ranges::stable_sort(sets, {}, &SetDifficulty::mean);
  return sets;
}

std::vector<const LeaderboardRow*> best_of_each(const LeaderboardBoard& board, std::string RowName::*what) {
  std::vector<const LeaderboardRow*> best;
  std::set<std::string> seen;
  for (const LeaderboardRow& row : board.rows) {  // by rank
    if (row.rank && seen.insert(row.*what).second) best.push_back(&row);
  }
  return best;
}

TablesReport benchmark_report(const BenchmarkFacts& facts, const Leaderboard& leaderboard, const Published& published) {
  TablesReport report{.title = "Benchmark " + facts.name, .summary = summary_of(facts, leaderboard)};
  report.tables = {sets_table(facts), protocols_table(facts)};
  for (const LeaderboardBoard& board : leaderboard.boards) {
    if (board.rows.empty()) continue;
    report.tables.push_back(best_table(board, &RowName::postprocessor, "The best row of each postprocessor"));
    report.tables.push_back(best_table(board, &RowName::training, "The best row of each training"));
    report.tables.push_back(difficulty_table(board, facts));
  }
  for (const BenchmarkFacts::Protocol& protocol : facts.protocols) {
    LeaderboardBoard elsewhere;
    elsewhere.benchmark = facts.name;
    elsewhere.protocol = protocol.name;
    elsewhere.published = published_rows(published, facts.name, protocol.name);
    for (ReportTable& table : published_tables(elsewhere, published.sources)) report.tables.push_back(std::move(table));
  }
  if (!leaderboard.boards.empty())
    report.notes.emplace_back(
        "Percent, mean ± population standard deviation over seeds. Ranks are those of `nearfar report leaderboard`; "
        "rows "
        "without one are not looked at here.");
  return report;
}

std::string benchmark_json(const BenchmarkFacts& facts, const Leaderboard& leaderboard, const Published& published) {
  Json sets = Json::array(), protocols = Json::array(), manifests = Json::array(), difficulty = Json::array();
  for (const BenchmarkFacts::Set& set : facts.sets)
    sets.push_back({{"name", set.name}, {"group", set.group}, {"images", set.count}});
  for (const BenchmarkFacts::Protocol& protocol : facts.protocols)
    protocols.push_back({{"name", protocol.name}, {"csid", protocol.csid}});
  for (const BenchmarkRecord& record : facts.measured) {
    Json measured = Json::array();
    for (const BenchmarkSet& set : record.sets)
      measured.push_back({{"name", set.name}, {"group", set.group}, {"images", set.image_count}});
    manifests.push_back({{"data_hash", record.data_hash}, {"sets", std::move(measured)}});
  }
  for (const LeaderboardBoard& board : leaderboard.boards) {
    for (const SetDifficulty& set : set_difficulty(board, facts)) {
      difficulty.push_back({{"protocol", board.protocol},
                            {"data_hash", board.data_hash},
                            {"group", set.group},
                            {"dataset", set.dataset},
                            {"rows", set.rows},
                            {"mean", set.mean},
                            {"lowest", set.lowest},
                            {"highest", set.highest}});
    }
  }
  Leaderboard with_published = leaderboard;
  add_published(with_published, published);
  const Json document = {{"name", facts.name},
                         {"title", facts.title},
                         {"file", facts.file},
                         {"identity", facts.identity},
                         {"classes", facts.class_count},
                         {"shape", {facts.channels, facts.height, facts.width}},
                         {"sets", std::move(sets)},
                         {"protocols", std::move(protocols)},
                         {"measured", std::move(manifests)},
                         {"difficulty", std::move(difficulty)},
                         {"leaderboard", Json::parse(leaderboard_json(with_published))}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace nearfar
