/// The page: values for the template in reports/. mustache escapes every {{name}}; only our own style and script are
/// put in as they are.
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "report/joined.h"
#include "report/leaderboard_forms.h"
#include "report/order.h"
#include "report/row_text.h"

#include <fmt/core.h>
#include <kainjow/mustache.hpp>

#include <algorithm>
#include <array>
#include <set>

namespace nearfar {
namespace {

using kainjow::mustache::data;
using kainjow::mustache::mustache;

/// One column of numbers: a mean with its metric, or a set with all its metrics.
struct Column {
  struct Metric {
    const MetricInfo* info = nullptr;
    std::string best;  ///< of the ranked rows, as printed; "" where there is none
  };
  const GroupInfo* group = nullptr;
  std::string dataset, role;
  std::vector<Metric> metrics;
  bool is_first = false;  ///< of its group
  bool is_mean() const { return dataset == "mean"; }
};

/// As printed, so that equal numbers are marked together.
std::string two_decimals(double fraction) { return fmt::format("{:.2f}", fraction * 100); }

std::string best_of(const LeaderboardBoard& board, const Column& column, const MetricInfo& metric) {
  std::optional<double> best;
  for (const LeaderboardRow& row : board.rows) {
    if (!row.rank || column.group->key == "control") continue;
    const MeanStd* value = row.number(column.group->key, column.dataset, metric.key);
    if (!value) continue;
    if (!best || (metric.lower_is_better ? value->mean < *best : value->mean > *best)) best = value->mean;
  }
  return best ? two_decimals(*best) : "";
}

Column make_column(const LeaderboardBoard& board, const GroupInfo& group, const std::string& dataset,
                   const std::string& role, std::span<const MetricInfo> metrics) {
  Column column{.group = &group, .dataset = dataset, .role = role, .metrics = {}, .is_first = false};
  for (const MetricInfo& metric : metrics) column.metrics.push_back({&metric, best_of(board, column, metric)});
  return column;
}

std::vector<Column> make_columns(const LeaderboardBoard& board) {
  std::vector<Column> columns;
  for (const GroupInfo& group : kOodGroups) {
    std::vector<Column> of_group;
    for (const BenchmarkSet& set : board.sets) {
      if (set.group != group.key) continue;
      if (of_group.empty() && group.has_means) {  // AUROC and FPR@95
        for (const std::size_t metric : {0U, 1U})
          of_group.push_back(make_column(board, group, "mean", "", kOodMetrics.subspan(metric, 1)));
      }
      of_group.push_back(make_column(board, group, set.name, set.role, kOodMetrics));
    }
    if (of_group.empty()) continue;
    of_group.front().is_first = true;
    columns.insert(columns.end(), of_group.begin(), of_group.end());
  }
  return columns;
}

data text_of(std::string_view text) { return {std::string(text)}; }
data optional_text(std::string_view text) { return text.empty() ? data(false) : text_of(text); }

std::string column_class(const Column& column) {
  std::string text(column.group->key);
  text += column.is_mean() ? " mean" : " set";
  if (column.is_first) text += " first";
  if (column.is_mean()) text += fmt::format(" {}", column.metrics[0].info->key);
  return text;
}

data group_item(const GroupInfo& group, const std::vector<Column>& columns) {
  data item;
  item.set("name", text_of(group.title));
  item.set("class", text_of(group.key));
  item.set("role", optional_text(group.role));
  item.set("span", std::to_string(std::ranges::count(columns, &group, &Column::group)));
  return item;
}

data column_item(const Column& column) {
  data item;
  item.set("class", column_class(column));
  item.set("name", column.is_mean() ? "mean" : column.dataset);
  item.set("metric", column.is_mean() ? text_of(column.metrics[0].info->title) : data(false));
  item.set("role", optional_text(column.role));
  return item;
}

std::string deviation(const MeanStd& value) { return value.n < 2 ? "" : two_decimals(value.std); }

data cell_item(const LeaderboardRow& row, const Column& column) {
  data values(data::type::list);
  for (const Column::Metric& metric : column.metrics) {
    const MeanStd* value = row.number(column.group->key, column.dataset, metric.info->key);
    if (!value) continue;
    data item;
    item.set("metric", text_of(metric.info->key));
    item.set("mean", two_decimals(value->mean));
    item.set("std", optional_text(deviation(*value)));
    item.set("sort", fmt::format("{:.4f}", value->mean * 100));
    item.set("best", row.rank && two_decimals(value->mean) == metric.best);
    values.push_back(item);
  }
  data cell;
  cell.set("class", column_class(column));
  cell.set("values", values);
  return cell;
}

data row_item(const SharedValues& shared, const LeaderboardRow& row, const std::vector<Column>& columns) {
  data item;
  item.set("rank", rank_text(row));
  item.set("rank_value", row.rank ? std::to_string(*row.rank) : "");
  item.set("training", row.training);
  const std::vector<std::string> details = training_details(shared, row);
  item.set("training_details", optional_text(join(details, " · ")));
  item.set("postprocessor", row.postprocessor);
  item.set("postprocessor_params", optional_text(replace_all(row.postprocessor_params, ";", ", ")));
  data cells(data::type::list);
  for (const Column& column : columns) cells.push_back(cell_item(row, column));
  item.set("cells", cells);
  const MeanStd* accuracy = row.accuracy();
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

data body_item(const LeaderboardBoard& board, const std::vector<Column>& columns, bool ranked) {
  data rows(data::type::list);
  const SharedValues shared = shared_values(board);
  for (const LeaderboardRow& row : board.rows) {
    if (row.rank.has_value() == ranked) rows.push_back(row_item(shared, row, columns));
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

/// What all rows share; the data manifest where boards differ in nothing else.
std::string shared_text(const Leaderboard& leaderboard, const LeaderboardBoard& board) {
  const SharedValues values = shared_values(board);
  std::vector<std::string> shared;
  if (!values.architecture.empty()) shared.push_back(values.architecture);
  if (!values.recipe.empty()) shared.push_back("recipe " + values.recipe);
  const auto is_of_same_title = [&](const LeaderboardBoard& other) { return board_title(other) == board_title(board); };
  if (std::ranges::count_if(leaderboard.boards, is_of_same_title) > 1)
    shared.push_back("data " + board.data_hash.substr(0, 12));
  return join(shared, ", ");
}

data board_item(const Leaderboard& leaderboard, std::size_t index) {
  const LeaderboardBoard& board = leaderboard.boards[index];
  const std::vector<Column> columns = make_columns(board);
  data groups(data::type::list), heads(data::type::list), metrics(data::type::list), bodies(data::type::list);
  for (const GroupInfo& group : kOodGroups) {
    if (std::ranges::find(columns, &group, &Column::group) != columns.end())
      groups.push_back(group_item(group, columns));
  }
  for (const Column& column : columns) heads.push_back(column_item(column));
  for (const MetricInfo& metric : kOodMetrics) {
    data item;
    item.set("key", text_of(metric.key));
    item.set("name", text_of(metric.title));
    item.set("pressed", &metric == &kOodMetrics.front() ? "true" : "false");
    metrics.push_back(item);
  }
  for (const bool ranked : {true, false}) {
    if (std::ranges::any_of(board.rows, [&](const LeaderboardRow& row) { return row.rank.has_value() == ranked; })) {
      bodies.push_back(body_item(board, columns, ranked));
    }
  }
  data item;
  item.set("id", fmt::format("board-{}", index));
  item.set("benchmark", board.benchmark);
  item.set("protocol", board.protocol);
  item.set("protocol_text", protocol_text(board.protocol));
  item.set("shared", optional_text(shared_text(leaderboard, board)));
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
  for (const LeaderboardSource& source : leaderboard.sources)
    facts.emplace_back("results of " + source.label(), source.verified ? "verified" : "unverified: " + source.reason);
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
  for (std::size_t i = 0; i < leaderboard.boards.size(); ++i) boards.push_back(board_item(leaderboard, i));
  for (const std::string& note : footnotes(leaderboard)) {
    data item;
    item.set("text", note);
    notes.push_back(item);
  }
  std::set<std::string> benchmarks;
  for (const LeaderboardBoard& board : leaderboard.boards) benchmarks.insert(board.benchmark);
  const std::string names = joined(benchmarks, ", ");
  data values;
  values.set("title", names.empty() ? "nearfar leaderboard" : names + ": nearfar leaderboard");
  values.set("css", read_file(templates / "leaderboard.css"));
  values.set("js", read_file(templates / "leaderboard.js"));
  values.set("boards", boards);
  values.set("notes", notes);
  values.set("facts", make_facts(leaderboard));
  return page.render(values);
}

}  // namespace nearfar
