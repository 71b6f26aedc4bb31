/// Data for the page's script.
#include "base/text.h"
#include "report/order.h"
#include "report/page_board.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iterator>
#include <optional>
#include <utility>

namespace nearfar {
namespace {

using Json = nlohmann::ordered_json;

/// What could end a script, or a line of one, cannot stand outside a string of JSON: escaped wherever it is.
std::string for_script(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  for (const auto& [from, to] : {std::pair("<", "\\u003c"), std::pair(">", "\\u003e"), std::pair("&", "\\u0026"),
                                 std::pair("\xe2\x80\xa8", "\\u2028"), std::pair("\xe2\x80\xa9", "\\u2029")}) {
    if (text.find(from) != std::string::npos) text = replace_all(std::move(text), from, to);
  }
  return text;
}

/// What is empty is left out.
void set(Json& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

Json row_json(const PageRow& row) {
  Json json = Json::object();
  if (row.part == PageRow::Part::published) json["published"] = true;
  if (row.rank) json["rank"] = *row.rank;
  if (row.rank_low && row.rank_high) json["interval"] = {*row.rank_low, *row.rank_high};
  set(json, "training", row.training);
  set(json, "details", row.training_details);
  set(json, "architecture", row.architecture);
  set(json, "post", row.postprocessor);
  set(json, "params", row.postprocessor_details);
  set(json, "classifier", row.classifier);
  set(json, "seeds", row.seeds);
  set(json, "tuned", row.tuned_on);
  if (row.seed_count > 0) json["count"] = row.seed_count;
  if (row.score_seconds) json["score"] = {*row.score_seconds, page_seconds(*row.score_seconds)};
  if (row.train_seconds) json["train"] = {*row.train_seconds, page_seconds(*row.train_seconds)};
  set(json, "device", row.device);
  if (!row.marks.empty()) json["marks"] = row.marks;
  for (std::size_t column = 0; column < row.numbers.size(); ++column) {
    if (row.numbers[column] && !row.numbers[column]->doubt.empty())
      json["doubts"][std::to_string(column)] = row.numbers[column]->doubt;
  }
  return json;
}

/// ,"name":[[…],…]: by column, then by row. `put` writes what a number has and returns true, or writes nothing.
template <class Put>
void add_numbers(std::string& out, const PageBoard& board, const char* name, Put put) {
  fmt::format_to(std::back_inserter(out), ",\"{}\":[", name);
  for (std::size_t column = 0; column < board.columns.size(); ++column) {
    out += column == 0 ? "[" : ",\n[";
    for (const PageRow& row : board.rows) {
      if (&row != board.rows.data()) out += ',';
      const std::optional<PageNumber>& number = row.numbers[column];
      if (!number || !put(*number)) out += "null";
    }
    out += ']';
  }
  out += ']';
}

void add_all_numbers(std::string& out, const PageBoard& board) {
  const auto put_int = [&](const std::optional<int>& value) {
    if (value) fmt::format_to(std::back_inserter(out), "{}", *value);
    return value.has_value();
  };
  add_numbers(out, board, "mean", [&](const PageNumber& n) { return put_int(n.mean); });
  add_numbers(out, board, "std", [&](const PageNumber& n) { return put_int(n.deviation); });
  add_numbers(out, board, "half", [&](const PageNumber& n) { return put_int(n.half_width); });
}

/// ,"bySeed":[[…],…]: by column, the numbers of each row of several seeds one after the other, as differences from its
/// mean; null where it has none. A list of each row would be half a megabyte of brackets.
void add_by_seed(std::string& out, const PageBoard& board) {
  out += ",\"bySeed\":[";
  for (std::size_t column = 0; column < board.columns.size(); ++column) {
    out += column == 0 ? "[" : ",\n[";
    const std::size_t begin = out.size();
    for (const PageRow& row : board.rows) {
      const std::optional<PageNumber>& number = row.numbers[column];
      for (std::size_t seed = 0; row.seed_count > 1 && seed < static_cast<std::size_t>(row.seed_count); ++seed) {
        if (out.size() > begin) out += ',';
        if (number && seed < number->by_seed.size())
          fmt::format_to(std::back_inserter(out), "{}", number->by_seed[seed] - number->mean);
        else
          out += "null";
      }
    }
    out += ']';
  }
  out += ']';
}

/// Of each column the rows with this mark.
Json marked(const PageBoard& board, Mark mark) {
  Json columns = Json::array();
  for (std::size_t column = 0; column < board.columns.size(); ++column) {
    Json rows = Json::array();
    for (std::size_t row = 0; row < board.rows.size(); ++row) {
      const std::optional<PageNumber>& number = board.rows[row].numbers[column];
      if (number && number->mark == mark) rows.push_back(row);
    }
    columns.push_back(std::move(rows));
  }
  return columns;
}

}  // namespace

std::string page_data(const PageBoard& board) {
  Json columns = Json::array(), rows = Json::array();
  for (const PageColumn& column : board.columns) {
    columns.push_back({{"group", column.group},
                       {"groupTitle", column.group_title},
                       {"groupRole", column.group_role},
                       {"dataset", column.dataset},
                       {"role", column.role},
                       {"metric", column.metric}});
  }
  for (const PageRow& row : board.rows) rows.push_back(row_json(row));
  std::string out = for_script({{"id", board.id},
                                {"benchmark", board.benchmark},
                                {"protocol", board.protocol},
                                {"shared", board.shared},
                                {"hasArchitectures", board.has_architectures},
                                {"columns", std::move(columns)},
                                {"best", marked(board, Mark::best)},
                                {"second", marked(board, Mark::second)},
                                {"rows", std::move(rows)}});
  out.pop_back();  // its closing brace
  add_all_numbers(out, board);
  add_by_seed(out, board);
  return out + "}";
}

std::string page_words() {
  Json metrics = Json::array();
  for (const MetricInfo& metric : kMetrics)
    metrics.push_back({{"key", metric.key}, {"title", metric.title}, {"lower", metric.lower_is_better}});
  return for_script({{"metrics", std::move(metrics)}});
}

}  // namespace nearfar
