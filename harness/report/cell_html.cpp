/// The page of a cell: values for the template in reports/. mustache escapes every {{name}}; put in as they are are our
/// style, our figures and our data URIs.
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "report/cell.h"
#include "report/cell_json.h"
#include "report/row_identity.h"

#include <fmt/format.h>
#include <kainjow/mustache.hpp>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace nearfar {
namespace {

using kainjow::mustache::data;
using kainjow::mustache::mustache;

data pair_of(const char* first, const std::string& one, const char* second, const std::string& other) {
  data item;
  item.set(first, one);
  item.set(second, other);
  return item;
}

/// What it is and with what it was made.
data facts_of(const CellPage& page) {
  const CellDetails& details = page.details;
  std::vector<std::pair<std::string, std::string>> facts{
      {"state", std::string(state_name(details.status.state)) +
                    (details.status.message.empty() ? "" : ": " + details.status.message)},
      {"benchmark", details.record.benchmark},
      {"data manifest", details.record.data_hash},
      {"flags", page.flags}};
  for (const Factor& factor : details.factors) {
    if (!factor.is_default) facts.emplace_back(factor.name, factor_text(factor.value));
  }
  for (const PluginRecord& plugin : plugins_of(details))
    facts.emplace_back("plugin " + plugin.name, plugin.kind + " " + plugin_text(plugin));
  if (!details.runs.empty()) {
    const RunStatus& run = details.runs.back();
    facts.emplace_back("made", fmt::format("{} … {}, {:.1f} s, attempt {}", run.started_utc, run.finished_utc,
                                           run.seconds, run.attempt));
    facts.emplace_back("on", fmt::format("{}, {} threads", run.context.device, run.context.threads));
    facts.emplace_back("nearfar", run.context.engine_version);
    facts.emplace_back("numerics", run.context.numerics);
  }
  facts.emplace_back("key", details.status.key);
  facts.emplace_back("identity", details.record.identity_json);
  facts.emplace_back("again", page.reproduce);
  data list(data::type::list);
  for (const auto& [name, value] : facts) {
    if (!value.empty()) list.push_back(pair_of("name", name, "value", value));
  }
  return list;
}

/// One line a set and protocol, a column a metric; in the order of the database.
std::pair<data, data> numbers_of(const std::vector<MetricRow>& metrics) {
  std::vector<std::string> columns;
  std::vector<std::tuple<std::string, std::string, std::string>> sets;
  std::map<std::pair<std::size_t, std::string>, double> values;
  for (const MetricRow& row : metrics) {
    if (std::ranges::find(columns, row.metric) == columns.end()) columns.push_back(row.metric);
    const std::tuple set{row.protocol, row.group, row.dataset};
    auto place = std::ranges::find(sets, set);
    if (place == sets.end()) place = sets.insert(sets.end(), set);
    values[{static_cast<std::size_t>(place - sets.begin()), row.metric}] = row.value;
  }
  data heads(data::type::list), rows(data::type::list);
  for (const std::string& column : columns) heads.push_back(data("name", column));
  for (std::size_t i = 0; i < sets.size(); ++i) {
    data row, cells(data::type::list);
    row.set("protocol", std::get<0>(sets[i]));
    row.set("set", std::get<1>(sets[i]) + "/" + std::get<2>(sets[i]));
    for (const std::string& column : columns) {
      const auto value = values.find({i, column});
      cells.push_back(data("text", value == values.end() ? "–" : fmt::format("{:.2f}", 100 * value->second)));
    }
    row.set("cells", cells);
    rows.push_back(row);
  }
  return {heads, rows};
}

data figures_of(const std::vector<plot::Figure>& figures) {
  data list(data::type::list);
  for (const plot::Figure& figure : figures) {
    data item;
    item.set("svg", figure.svg);
    item.set("description", figure.description);
    list.push_back(item);
  }
  return list;
}

data images_of(const std::vector<ConfusedImage>& images) {
  data list(data::type::list);
  for (const ConfusedImage& image : images) {
    data item;
    item.set("set", image.set);
    item.set("position", std::to_string(image.position));
    item.set("score", fmt::format("{:.6g}", image.score));
    if (!image.where.empty()) item.set("where", image.where);
    if (!image.picture.empty()) item.set("picture", image.picture);
    list.push_back(item);
  }
  return list;
}

/// Of many points the best forty; `show` and tune.json have more.
data tuning_of(std::vector<TunePoint> points) {
  constexpr std::size_t kMost = 40;
  std::ranges::stable_sort(points, std::ranges::greater(),
                           [](const TunePoint& point) { return point.auroc.value_or(-1); });
  data list(data::type::list);
  for (const TunePoint& point : std::span(points).first(std::min(kMost, points.size()))) {
    data item = pair_of("params", replace_all(point.params, ";", ", "), "auroc",
                        point.auroc ? fmt::format("{:.4f}", 100 * *point.auroc) : "–");
    item.set("note", point.chosen ? "chosen" : point.refused.empty() ? "" : "refused: " + point.refused);
    list.push_back(item);
  }
  return list;
}

data files_of(const Outcome& outcome) {
  data list(data::type::list);
  for (const ArtifactRow& row : outcome.artifacts) list.push_back(pair_of("name", row.path, "value", row.sha256));
  for (const ScoreSetRow& row : outcome.scores) list.push_back(pair_of("name", row.path, "value", row.sha256));
  return list;
}

}  // namespace

std::string cell_html(const CellPage& page, const std::filesystem::path& templates) {
  const std::filesystem::path file = templates / "cell.html.mustache";
  mustache html(read_file(file));
  if (!html.is_valid())
    throw Error(ErrorKind::config, fmt::format("{}: not a valid template: {}", file.string(), html.error_message()));
  const CellDetails& details = page.details;
  const auto [heads, rows] = numbers_of(details.outcome.metrics);
  data values, notes(data::type::list);
  for (const std::string& note : page.notes) notes.push_back(data("text", note));
  values.set("css", read_file(templates / "leaderboard.css"));
  values.set("label", details.status.label);
  values.set("kind", std::string(kind_name(details.status.kind)));
  values.set("facts", facts_of(page));
  values.set("has_numbers", !details.outcome.metrics.empty());
  values.set("columns", heads);
  values.set("rows", rows);
  values.set("figures", figures_of(page.figures));
  values.set("has_tuning", !details.outcome.tune.empty());
  values.set("tuning", tuning_of(details.outcome.tune));
  values.set("has_confused", !page.confused.in.empty() || !page.confused.out.empty());
  values.set("in", images_of(page.confused.in));
  values.set("out", images_of(page.confused.out));
  values.set("files", files_of(details.outcome));
  values.set("notes", notes);
  return html.render(values);
}

}  // namespace nearfar
