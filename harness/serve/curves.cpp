#include "serve/curves.h"

#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

using nlohmann::json;

// In units of the viewBox.
constexpr double kWidth = 360, kHeight = 170, kLeft = 8, kRight = 8, kTop = 34, kBottom = 24;

std::string escaped(std::string_view text) {
  std::string result(text);
  for (const auto& [from, to] :
       {std::pair("&", "&amp;"), std::pair("<", "&lt;"), std::pair(">", "&gt;"), std::pair("\"", "&quot;")})
    result = replace_all(result, from, to);
  return result;
}

std::string short_number(double value) { return fmt::format("{:.4g}", value); }

struct Range {
  double low = 0, high = 0;
  /// 0 at low, 1 at high; a half where they are one.
  double place(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

template <class Of>
Range range_of(const std::vector<CurvePoint>& points, Of of) {
  Range range{of(points.front()), of(points.front())};
  for (const CurvePoint& point : points) {
    range.low = std::min(range.low, of(point));
    range.high = std::max(range.high, of(point));
  }
  return range;
}

}  // namespace

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
  std::vector<CurvePoint> points = curve.points;
  std::erase_if(points, [](const CurvePoint& point) { return !std::isfinite(point.value); });
  const std::string name = escaped(curve.name);
  std::string svg = fmt::format(
      "<svg class=\"curve\" role=\"img\" viewBox=\"0 0 {} {}\" xmlns=\"http://www.w3.org/2000/svg\"><title>{}</title>",
      kWidth, kHeight, name);
  if (points.empty()) {
    return svg + fmt::format("<desc>no finite values</desc><text x=\"{}\" y=\"20\">{}: no finite values</text></svg>",
                             kLeft, name);
  }
  const Range values = range_of(points, [](const CurvePoint& point) { return point.value; });
  const Range steps = range_of(points, [](const CurvePoint& point) { return static_cast<double>(point.step); });
  const auto x = [&](const CurvePoint& point) {
    return kLeft + (kWidth - kLeft - kRight) * steps.place(static_cast<double>(point.step));
  };
  const auto y = [&](const CurvePoint& point) {
    return kHeight - kBottom - (kHeight - kTop - kBottom) * values.place(point.value);
  };
  std::string line;
  for (const CurvePoint& point : points)
    line += fmt::format("{}{:.1f},{:.1f}", line.empty() ? "" : " ", x(point), y(point));
  const std::string low = short_number(values.low), high = short_number(values.high),
                    last = short_number(points.back().value);
  svg += fmt::format("<desc>{} points from epoch {} to {}, from {} to {}, at last {}</desc>", points.size(),
                     points.front().step + 1, points.back().step + 1, low, high, last);
  for (const double edge : {kTop, kHeight - kBottom})
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>", kLeft, kWidth - kRight, edge,
                       edge);
  svg += fmt::format(
      "<polyline class=\"line\" points=\"{}\"/><circle class=\"last\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", line,
      x(points.back()), y(points.back()));
  svg += fmt::format("<text class=\"name\" x=\"{}\" y=\"14\">{}</text>", kLeft, name);
  svg += fmt::format("<text class=\"name\" x=\"{}\" y=\"14\" text-anchor=\"end\">{}</text>", kWidth - kRight, last);
  svg += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>", kLeft, kTop - 5, high);
  svg += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>", kLeft, kHeight - kBottom - 5, low);
  svg += fmt::format("<text x=\"{}\" y=\"{}\">epoch {}</text>", kLeft, kHeight - 8, points.front().step + 1);
  return svg + fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text></svg>", kWidth - kRight, kHeight - 8,
                           points.back().step + 1);
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
