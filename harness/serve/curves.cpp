#include "serve/curves.h"

#include "plot/charts.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace nearfar {

using nlohmann::json;

std::vector<Curve> curves_of(const Outcome& outcome) {
  std::vector<Curve> curves;
  for (const CurvePoint& point : outcome.curve) {
    auto found = std::ranges::find(curves, point.name, &Curve::name);
    if (found == curves.end()) found = curves.insert(curves.end(), Curve{point.name, {}});
    found->points.push_back(point);
  }
  for (Curve& curve : curves) std::ranges::stable_sort(curve.points, {}, &CurvePoint::step);
  return curves;
}

std::string curve_svg(const Curve& curve) {
  constexpr std::size_t kMostMarkers = 30;
  plot::LineSeries series{.label = curve.name, .markers = curve.points.size() <= kMostMarkers};
  for (const CurvePoint& point : curve.points)
    series.points.push_back({.x = static_cast<double>(point.step + 1), .y = point.value});
  return plot::line_chart({.caption = {.title = curve.name}, .x = {.label = "epoch"}, .series = {std::move(series)}})
      .svg;
}

std::string curves_note(const CellDetails& details) {
  if (details.status.kind != CellKind::train || !details.outcome.curve.empty()) return "";
  switch (details.status.state) {
    case CellState::running:
      return "Points are stored when the training has ended; until then its log below is what there is.";
    case CellState::planned:
      return "It has not been trained yet.";
    default:
      return "No points were stored.";
  }
}

std::string curves_json(const CellDetails& details) {
  json document{{"key", details.status.key},
                {"label", details.status.label},
                {"state", state_name(details.status.state)},
                {"curves", json::array()},
                {"note", curves_note(details)}};
  for (const Curve& curve : curves_of(details.outcome)) {
    json points = json::array();
    for (const CurvePoint& point : curve.points) points.push_back({point.step, point.value});  // no number: null
    document["curves"].push_back({{"name", curve.name}, {"points", std::move(points)}});
  }
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace nearfar
