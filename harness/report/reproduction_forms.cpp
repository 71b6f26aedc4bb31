/// A reproduction for people and for programs.
#include "base/csv.h"
#include "base/text.h"
#include "report/joined.h"
#include "report/published_text.h"
#include "report/reproduction.h"
#include "report/row_text.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

namespace nearfar {
namespace {

using Json = nlohmann::ordered_json;

std::string k_text(const ReproductionRequest& request) { return number_text(request.k) + " std"; }
std::string points_text(double fraction) { return number_text(std::round(fraction * 1e8) / 1e6) + " points"; }

/// "within 2 std", "beyond 0.5 points", "not to be trusted".
std::string verdict(const ReproductionRequest& request, const ReproducedNumber& number) {
  if (!number.published.doubt.empty()) return "not to be trusted";
  return (number.is_within ? "within " : "beyond ") +
         (number.published.std ? k_text(request) : points_text(request.points));
}

std::string mark(const ReproducedNumber& number) {
  if (!number.published.doubt.empty()) return "quiet";
  return number.is_within ? "good" : "bad";
}

std::string with_params(const std::string& name, const std::string& params) {
  return params.empty() ? name : fmt::format("{} ({})", name, replace_all(params, ";", ", "));
}

/// "MSP", and what ours is called and has for parameters where that says more: "KNN = knn (tune=openood)".
std::string both_names(const PublishedName& published, const std::string& params) {
  const std::string ours = with_params(published.key, params);
  return published.name == published.key ? ours : fmt::format("{} = {}", published.name, ours);
}

struct Line {
  const ReproducedRow* row = nullptr;
  const ReproducedNumber* number = nullptr;
  double distance() const { return std::abs(number->difference) / std::max(number->bound, 1e-9); }
};

std::vector<TableCell> cells(const ReproductionRequest& request, const Line& line) {
  const ReproducedRow& row = *line.row;
  const ReproducedNumber& number = *line.number;
  return {{both_names(row.published.training, row.ours.training_params)},
          {both_names(row.published.postprocessor, row.ours.postprocessor_params)},
          {row.ours.architecture},
          {number_name(number.published.group, number.published.dataset, number.published.metric)},
          {published_percent(&number.published)},
          {percent_text(&number.ours)},
          {std::to_string(number.ours.n)},
          {fmt::format("{:+.{}f}", number.difference * 100, request.points < 0.001 ? 4 : 2)},
          {verdict(request, number), mark(number)},
          {replace_all(row.flags, ";", ", "), "quiet"}};
}

ReportTable table_of(const ReproductionRequest& request, std::string title, std::vector<Line> lines, std::size_t most) {
  ReportTable table{.title = std::move(title),
                    .header = {"training", "postprocessor", "network", "number", "published", "ours", "seeds",
                               "difference", "", "ours is"},
                    .is_number = {false, false, false, false, true, true, true, true, false, false}};
  if (std::ranges::all_of(lines, [](const Line& line) { return line.row->flags.empty(); })) {
    table.header.pop_back();
    table.is_number.pop_back();
  }
  if (most > 0 && lines.size() > most) {
    table.above.push_back(fmt::format(
        "The {} of {} numbers that are farthest in their bounds; every other form has all.", most, lines.size()));
    std::ranges::stable_sort(lines, [](const Line& a, const Line& b) { return a.distance() > b.distance(); });
    lines.resize(most);
  }
  for (const Line& line : lines) {
    table.rows.push_back(cells(request, line));
    table.rows.back().resize(table.header.size());
  }
  return table;
}

Json name_json(const PublishedName& name) { return {{"name", name.name}, {"key", name.key}}; }

Json number_json(const ReproducedNumber& n) {
  return {{"group", n.published.group},
          {"dataset", n.published.dataset},
          {"metric", n.published.metric},
          {"published", n.published.mean},
          {"published_std", n.published.std ? Json(*n.published.std) : Json(nullptr)},
          {"ours", n.ours.mean},
          {"ours_std", n.ours.std},
          {"difference", n.difference},
          {"bound", n.bound},
          {"within", n.is_within},
          {"doubt", n.published.doubt}};
}

}  // namespace

std::vector<std::string> reproduction_summary(const Reproduction& r) {
  bool by_deviation = false, by_points = false;
  for (const ReproducedRow& row : r.rows) {
    for (const ReproducedNumber& number : row.numbers) {
      if (number.published.doubt.empty()) (number.published.std ? by_deviation : by_points) = true;
    }
  }
  std::vector<std::string> bounds;
  if (by_deviation) bounds.push_back(k_text(r.request));
  if (by_points) bounds.push_back(points_text(r.request.points));
  std::vector<std::string> lines;
  lines.push_back(r.compared_count == 0
                      ? "Nothing to compare."
                      : fmt::format("{} of {} numbers within {}; largest difference {:.4f} points.", r.within_count,
                                    r.compared_count, join(bounds, " or "), r.largest * 100));
  if (r.doubted_count > 0)
    lines.push_back(fmt::format("{} more, not to be trusted as published, do not count.", r.doubted_count));
  if (r.without_result_count + r.unknown_count > 0)
    lines.push_back(fmt::format(
        "No result of ours for {} of {}: {} are of methods or networks that are here, {} of such "
        "that are not.",
        r.without_result_count + r.unknown_count, r.published_count, r.without_result_count, r.unknown_count));
  std::set<std::string> flags;
  for (const ReproducedRow& row : r.rows) {
    for (const std::string& flag : split(row.flags, ';')) {
      if (flag == "partial" || flag == "count-mismatch" || flag == "class-mismatch") flags.insert(flag);
    }
  }
  if (!flags.empty())
    lines.push_back(
        fmt::format("Results of ours are marked {}: their images are not those of the benchmark, or not all.",
                    joined(flags, ", ")));
  return lines;
}

TablesReport reproduction_report(const Reproduction& reproduction, std::size_t most) {
  TablesReport report{.title = "Published numbers and ours", .summary = reproduction_summary(reproduction)};
  std::vector<std::pair<std::string, std::vector<Line>>> tables;  // in the order in which they come first
  std::set<std::string> doubts;
  for (const ReproducedRow& row : reproduction.rows) {
    const std::string title =
        fmt::format("{}: {}, protocol {}", row.published.source, row.published.benchmark, row.published.protocol);
    auto found = std::ranges::find(tables, title, &std::pair<std::string, std::vector<Line>>::first);
    if (found == tables.end()) found = tables.insert(found, {title, {}});
    for (const ReproducedNumber& number : row.numbers) {
      found->second.push_back({&row, &number});
      if (!number.published.doubt.empty())
        doubts.insert(fmt::format("{}, not to be trusted: {}.", method_name(row.published), number.published.doubt));
    }
  }
  for (auto& [title, lines] : tables)
    report.tables.push_back(table_of(reproduction.request, title, std::move(lines), most));
  report.notes.push_back(fmt::format(
      "Percent, mean ± population standard deviation (as OpenOOD prints it, over its seeds); difference: ours minus "
      "published, in points. Where no deviation was published, or 0, the bound is {}.",
      points_text(reproduction.request.points)));
  report.notes.insert(report.notes.end(), doubts.begin(), doubts.end());
  for (const PublishedSource& source : reproduction.sources) {
    if (!source.reference.empty())
      report.notes.push_back(fmt::format("{}: {}; state of {}.", source.name, source.reference, source.date));
  }
  if (!reproduction.unmapped.empty()) report.notes.push_back("Not here: " + join(reproduction.unmapped, ", ") + ".");
  return report;
}

std::string reproduction_csv(const Reproduction& reproduction) {
  std::string csv =
      "source,training,postprocessor,architecture,benchmark,protocol,group,dataset,metric,published,published_std,ours,"
      "ours_std,seeds,difference,bound,within,doubt,our_training,our_training_params,our_postprocessor,"
      "our_postprocessor_params,data_hash,flags\n";
  for (const ReproducedRow& row : reproduction.rows) {
    const PublishedRow& p = row.published;
    for (const ReproducedNumber& n : row.numbers) {
      std::vector<std::string> fields = {p.source,          p.training.name, p.postprocessor.name, p.architecture.name,
                                         p.benchmark,       p.protocol,      n.published.group,    n.published.dataset,
                                         n.published.metric};
      for (std::string& field : fields) field = csv_field(field);
      const auto add = [&](double fraction) { fields.push_back(fmt::format("{:.4f}", fraction * 100)); };
      add(n.published.mean);
      if (n.published.std)
        add(*n.published.std);
      else
        fields.emplace_back();
      add(n.ours.mean);
      add(n.ours.std);
      fields.push_back(std::to_string(n.ours.n));
      add(n.difference);
      add(n.bound);
      for (const std::string& text :
           {std::string(n.is_within ? "true" : "false"), n.published.doubt, row.ours.training, row.ours.training_params,
            row.ours.postprocessor, row.ours.postprocessor_params, row.data_hash, row.flags})
        fields.push_back(csv_field(text));
      csv += join(fields, ",") + "\n";
    }
  }
  return csv;
}

std::string reproduction_json(const Reproduction& r) {
  Json rows = Json::array();
  for (const ReproducedRow& row : r.rows) {
    Json numbers = Json::array();
    for (const ReproducedNumber& number : row.numbers) numbers.push_back(number_json(number));
    rows.push_back({{"source", row.published.source},
                    {"benchmark", row.published.benchmark},
                    {"protocol", row.published.protocol},
                    {"data_hash", row.data_hash},
                    {"training", name_json(row.published.training)},
                    {"postprocessor", name_json(row.published.postprocessor)},
                    {"architecture", name_json(row.published.architecture)},
                    {"training_params", row.ours.training_params},
                    {"postprocessor_params", row.ours.postprocessor_params},
                    {"flags", row.flags},
                    {"seeds", row.seeds},
                    {"numbers", std::move(numbers)}});
  }
  const Json document = {{"k", r.request.k},
                         {"points", r.request.points * 100},
                         {"compared", r.compared_count},
                         {"within", r.within_count},
                         {"doubted", r.doubted_count},
                         {"largest", r.largest},
                         {"published", r.published_count},
                         {"without_result", r.without_result_count},
                         {"not_here", r.unknown_count},
                         {"unmapped", r.unmapped},
                         {"rows", std::move(rows)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace nearfar
