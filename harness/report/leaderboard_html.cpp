/// The page: values for the template in reports/. mustache escapes every {{name}}; only our own style and script are
/// put in as they are.
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "report/leaderboard.h"
#include "report/rows.h"

#include <fmt/core.h>
#include <kainjow/mustache.hpp>

#include <algorithm>
#include <array>
#include <set>

namespace nearfar {
namespace {

using kainjow::mustache::data;
using kainjow::mustache::mustache;

struct MetricName {
  const char* key;
  const char* name;
  bool lower_is_better;
};
constexpr std::array<MetricName, 4> kSetMetrics = {{{"auroc", "AUROC", false},
                                                    {"fpr95", "FPR@95", true},
                                                    {"aupr_in", "AUPR-in", false},
                                                    {"aupr_out", "AUPR-out", false}}};

struct Group {
  const char* key;
  const char* name;
  const char* role;
  bool has_means;
};
constexpr std::array<Group, 3> kGroups = {
    {{"near", "Near-OOD", "", true}, {"far", "Far-OOD", "", true}, {"control", "Control", "in no mean", false}}};

/// One column of numbers: a mean with its metric, or a set with all its metrics.
struct Column {
  std::string group, dataset, role;
  std::vector<MetricName> metrics;
  bool first = false;  ///< of its group
  bool is_mean() const { return dataset == "mean"; }
};

std::vector<Column> make_columns(const LeaderboardBoard& board) {
  std::vector<Column> columns;
  for (const Group& group : kGroups) {
    std::vector<Column> of_group;
    const std::vector<MetricName> all(kSetMetrics.begin(), kSetMetrics.end());
    for (const BenchmarkSet& set : board.sets) {
      if (set.group == group.key) of_group.push_back({set.group, set.name, set.role, all, false});
    }
    if (of_group.empty()) continue;
    if (group.has_means) {
      of_group.insert(of_group.begin(), {{group.key, "mean", "", {kSetMetrics[0]}, false},
                                         {group.key, "mean", "", {kSetMetrics[1]}, false}});
    }
    of_group.front().first = true;
    columns.insert(columns.end(), of_group.begin(), of_group.end());
  }
  return columns;
}

std::string column_class(const Column& column) {
  std::string text = column.group + (column.is_mean() ? " mean" : " set") + (column.first ? " first" : "");
  if (column.is_mean()) text += fmt::format(" {}", column.metrics[0].key);
  return text;
}

data make_group(const Group& group, const std::vector<Column>& columns) {
  const auto span = std::ranges::count_if(columns, [&](const Column& column) { return column.group == group.key; });
  data item;
  item.set("name", group.name);
  item.set("class", group.key);
  item.set("role", *group.role ? data(group.role) : data(false));
  item.set("span", std::to_string(span));
  return item;
}

data make_column(const Column& column) {
  data item;
  item.set("class", column_class(column));
  item.set("name", column.is_mean() ? "mean" : column.dataset);
  item.set("metric", column.is_mean() ? data(column.metrics[0].name) : data(false));
  item.set("role", column.role.empty() ? data(false) : data(column.role));
  return item;
}

/// As printed, so that equal numbers are marked together.
std::string two_decimals(double fraction) { return fmt::format("{:.2f}", fraction * 100); }

std::string best_of(const LeaderboardBoard& board, const Column& column, const MetricName& metric) {
  std::optional<double> best;
  for (const LeaderboardRow& row : board.rows) {
    const Aggregate* value = row.number(column.group, column.dataset, metric.key);
    if (!row.rank || !value) continue;
    if (!best || (metric.lower_is_better ? value->mean < *best : value->mean > *best)) best = value->mean;
  }
  return best ? two_decimals(*best) : "";
}

data optional_text(const std::string& text) { return text.empty() ? data(false) : data(text); }
std::string deviation(const Aggregate& value) { return value.seed_count < 2 ? "" : two_decimals(value.std); }

data make_cell(const LeaderboardBoard& board, const LeaderboardRow& row, const Column& column) {
  data values(data::type::list);
  for (const MetricName& metric : column.metrics) {
    const Aggregate* value = row.number(column.group, column.dataset, metric.key);
    if (!value) continue;
    data item;
    item.set("metric", metric.key);
    item.set("mean", two_decimals(value->mean));
    item.set("std", optional_text(deviation(*value)));
    item.set("sort", fmt::format("{:.4f}", value->mean * 100));
    item.set("best",
             row.rank && column.group != "control" && two_decimals(value->mean) == best_of(board, column, metric));
    values.push_back(item);
  }
  data cell;
  cell.set("class", column_class(column));
  cell.set("values", values);
  return cell;
}

data make_row(const LeaderboardBoard& board, const LeaderboardRow& row, const std::vector<Column>& columns) {
  data item;
  item.set("rank", rank_text(row));
  item.set("rank_value", row.rank ? std::to_string(*row.rank) : "");
  item.set("training", row.training);
  const std::vector<std::string> details = training_details(board, row);
  item.set("training_details", optional_text(join(details, " · ")));
  item.set("postprocessor", row.postprocessor);
  item.set("postprocessor_params", optional_text(replace_all(row.postprocessor_params, ";", ", ")));
  data cells(data::type::list);
  for (const Column& column : columns) cells.push_back(make_cell(board, row, column));
  item.set("cells", cells);
  const Aggregate* accuracy = row.accuracy();
  item.set("accuracy", accuracy ? two_decimals(accuracy->mean) : "–");
  std::vector<std::string> accuracy_note;  // "± 0.20 · linear"
  if (accuracy && !deviation(*accuracy).empty()) accuracy_note.push_back("± " + deviation(*accuracy));
  if (accuracy && !row.classifier.empty()) accuracy_note.push_back(row.classifier);
  item.set("accuracy_note", optional_text(join(accuracy_note, " · ")));
  item.set("accuracy_sort", accuracy ? fmt::format("{:.4f}", accuracy->mean * 100) : "");
  item.set("seed_count", std::to_string(row.seeds.size()));
  data marks(data::type::list);
  for (const std::string& text : split(seeds_text(row), ';')) {
    if (text == std::to_string(row.seeds.size())) continue;  // the count itself, shown already
    data mark;
    mark.set("text", std::string(trim(text)));
    marks.push_back(mark);
  }
  item.set("marks", marks);
  return item;
}

data make_body(const LeaderboardBoard& board, const std::vector<Column>& columns, bool ranked) {
  data rows(data::type::list);
  for (const LeaderboardRow& row : board.rows) {
    if (row.rank.has_value() == ranked) rows.push_back(make_row(board, row, columns));
  }
  data body;
  body.set("class", ranked ? "ranked" : "unranked");
  body.set("rows", rows);
  return body;
}

std::string protocol_text(const std::string& protocol) {
  if (protocol == "ood") return "in-distribution test images against each OOD set";
  if (protocol == "fsood") return "in-distribution test and covariate-shifted images against each OOD set";
  return "protocol " + protocol;
}

data make_board(const LeaderboardBoard& board, std::size_t index) {
  const std::vector<Column> columns = make_columns(board);
  data groups(data::type::list), heads(data::type::list), metrics(data::type::list), bodies(data::type::list);
  for (const Group& group : kGroups) {
    if (std::ranges::any_of(columns, [&](const Column& c) { return c.group == group.key; }))
      groups.push_back(make_group(group, columns));
  }
  for (const Column& column : columns) heads.push_back(make_column(column));
  for (const MetricName& metric : kSetMetrics) {
    data item;
    item.set("key", metric.key);
    item.set("name", metric.name);
    item.set("pressed", &metric == &kSetMetrics.front() ? "true" : "false");
    metrics.push_back(item);
  }
  for (const bool ranked : {true, false}) {
    if (std::ranges::any_of(board.rows, [&](const LeaderboardRow& row) { return row.rank.has_value() == ranked; })) {
      bodies.push_back(make_body(board, columns, ranked));
    }
  }
  data item;
  item.set("id", fmt::format("board-{}", index));
  item.set("benchmark", board.benchmark);
  item.set("protocol", board.protocol);
  item.set("protocol_text", protocol_text(board.protocol));
  std::vector<std::string> shared;
  if (shared_value(board, &LeaderboardRow::architecture)) shared.push_back(board.rows[0].architecture);
  if (shared_value(board, &LeaderboardRow::recipe)) shared.push_back("recipe " + board.rows[0].recipe);
  item.set("shared", optional_text(join(shared, ", ")));
  item.set("caption", fmt::format("Ranking on {}, protocol {}", board.benchmark, board.protocol));
  item.set("groups", groups);
  item.set("columns", heads);
  item.set("metrics", metrics);
  item.set("bodies", bodies);
  std::string under = fmt::format("Protocol {}: {}.", board.protocol, protocol_text(board.protocol));
  if (!board.ranked_seeds.empty())
    under += fmt::format(" Ranked rows share the seeds {}.", seed_list(board.ranked_seeds));
  for (const BenchmarkSet& set : board.sets) {
    if (!set.role.empty()) under += fmt::format(" {} ({}): {}.", set.name, set.group, set.role);
  }
  item.set("under", under);
  return item;
}

data make_facts(const Leaderboard& leaderboard) {
  std::vector<std::pair<std::string, std::string>> facts = {{"nearfar", join(leaderboard.engine_versions, ", ")},
                                                            {"numerics", join(leaderboard.numerics, ", ")}};
  std::set<std::pair<std::string, std::string>> data_sets;
  for (const LeaderboardBoard& board : leaderboard.boards) data_sets.emplace(board.benchmark, board.data_hash);
  for (const auto& [name, hash] : data_sets)
    facts.emplace_back("benchmark " + name, "data manifest " + hash.substr(0, 16));
  for (const LeaderboardPlugin& plugin : leaderboard.plugins) {
    facts.emplace_back(fmt::format("{} {}", plugin.kind, plugin.name),
                       fmt::format("{}, source {}", plugin.version, plugin.source_hash.substr(0, 12)));
  }
  data list(data::type::list);
  for (const auto& [name, value] : facts) {
    if (value.empty()) continue;
    data item;
    item.set("name", name);
    item.set("value", value);
    list.push_back(item);
  }
  return list;
}

}  // namespace

std::string leaderboard_html(const Leaderboard& leaderboard, const std::filesystem::path& templates) {
  const std::filesystem::path file = templates / "leaderboard.html.mustache";
  mustache page(read_file(file));
  if (!page.is_valid())
    throw Error(ErrorKind::config, fmt::format("{}: not a valid template: {}", file.string(), page.error_message()));
  data boards(data::type::list), notes(data::type::list);
  for (const LeaderboardBoard& board : leaderboard.boards)
    boards.push_back(make_board(board, boards.list_value().size()));
  for (const std::string& note : footnotes(leaderboard)) {
    data item;
    item.set("text", note);
    notes.push_back(item);
  }
  data values;
  values.set("title", leaderboard.boards.empty() ? "nearfar leaderboard"
                                                 : leaderboard.boards.front().benchmark + ": nearfar leaderboard");
  values.set("css", read_file(templates / "leaderboard.css"));
  values.set("js", read_file(templates / "leaderboard.js"));
  values.set("boards", boards);
  values.set("notes", notes);
  values.set("facts", make_facts(leaderboard));
  return page.render(values);
}

}  // namespace nearfar
