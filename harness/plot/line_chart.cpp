#include "base/csv.h"
#include "base/text.h"
#include "plot/frame.h"
#include "plot/style.h"
#include "plot/thin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace nearfar::plot {
namespace {

bool is_finite(const LinePoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) &&
         (!point.band || (std::isfinite(point.band->low) && std::isfinite(point.band->high)));
}

/// Without points that are not finite.
std::vector<LineSeries> finite_series(const LineChart& chart, std::size_t& left_out) {
  std::vector<LineSeries> series = chart.series;
  for (LineSeries& one : series) left_out += std::erase_if(one.points, [](const auto& p) { return !is_finite(p); });
  return series;
}

std::pair<AxisRange, AxisRange> ranges_of(const LineChart& chart, const std::vector<LineSeries>& series) {
  std::vector<double> xs, ys;
  for (const LineSeries& one : series) {
    for (const LinePoint& point : one.points) {
      xs.push_back(point.x);
      ys.push_back(point.y);
      if (point.band) ys.insert(ys.end(), {point.band->low, point.band->high});
    }
  }
  return {range_of(chart.x, xs), range_of(chart.y, ys)};
}

/// The points that are drawn: those that the line or an edge of its band needs.
std::vector<LinePoint> drawn_points(const LineSeries& series, const std::vector<Place>& line,
                                    const std::vector<Place>& low, const std::vector<Place>& high) {
  std::vector<std::size_t> kept = visible_points(line);
  for (const auto* edge : {&low, &high}) {
    const std::vector<std::size_t> more = visible_points(*edge);
    kept.insert(kept.end(), more.begin(), more.end());
  }
  std::ranges::sort(kept);
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  std::vector<LinePoint> points;
  for (const std::size_t i : kept) points.push_back(series.points[i]);
  return points;
}

class Lines {
 public:
  Lines(Frame& frame, const AxisRange& x, const AxisRange& y) : frame_(frame), x_(x), y_(y) {}

  /// The thinned points.
  std::vector<LinePoint> thinned(const LineSeries& series) const {
    std::vector<Place> line, low, high;
    for (const LinePoint& point : series.points) {
      const Interval band = point.band.value_or(Interval{point.y, point.y});
      line.push_back(at(point.x, point.y));
      low.push_back(at(point.x, band.low));
      high.push_back(at(point.x, band.high));
    }
    return drawn_points(series, line, low, high);
  }

  void draw_band(const std::vector<LinePoint>& points, const std::string& classes) {
    std::vector<Place> upper, lower;
    for (const LinePoint& point : points) {
      if (!point.band) continue;
      upper.push_back(at(point.x, point.band->high));
      lower.push_back(at(point.x, point.band->low));
    }
    upper.insert(upper.end(), lower.rbegin(), lower.rend());
    if (!upper.empty()) frame_.svg().polygon(upper, "nfp-a " + classes);
  }

  void draw_line(const LineSeries& series, const std::vector<LinePoint>& points, std::size_t index) {
    std::vector<Place> places;
    for (const LinePoint& point : points) places.push_back(at(point.x, point.y));
    frame_.svg().polyline(places, "nfp-l " + series_class(index));
    if (!series.markers && points.size() > 1) return;
    for (std::size_t i = 0; i < points.size(); ++i) {
      frame_.svg().marker(
          places[i], 3.4, index, "nfp-f " + series_class(index),
          fmt::format("{}: {}, {}", series.label, short_number(points[i].x), short_number(points[i].y)));
    }
  }

 private:
  Place at(double x, double y) const { return frame_.place(x_, y_, x, y); }
  Frame& frame_;
  const AxisRange &x_, &y_;
};

std::string sentence(const LineSeries& series) {
  const LinePoint &first = series.points.front(), &last = series.points.back();
  const LinePoint& top = *std::ranges::max_element(series.points, {}, &LinePoint::y);
  return fmt::format("{}: from {} at {} to {} at {}, highest {} at {}.", series.label, short_number(first.y),
                     short_number(first.x), short_number(last.y), short_number(last.x), short_number(top.y),
                     short_number(top.x));
}

}  // namespace

Figure line_chart(const LineChart& chart) {
  std::string csv = "series,x,y,low,high\n";
  std::size_t left_out = 0;
  std::vector<std::string> notes, sentences;
  const std::vector<LineSeries> series = finite_series(chart, left_out);
  note_left_out(notes, left_out);
  if (std::ranges::all_of(series, [](const LineSeries& one) { return one.points.empty(); }))
    return empty_figure(chart.caption, "no values", csv);
  std::vector<LegendEntry> legend;
  for (std::size_t i = 0; i < series.size(); ++i)
    legend.push_back({.label = series[i].label, .classes = series_class(i)});
  if (legend.size() == 1 && legend[0].label.empty()) legend.clear();
  const auto [x, y] = ranges_of(chart, series);
  Frame frame(chart.caption, 380, {}, legend, notes);
  frame.x_axis(x, chart.x.label);
  frame.y_axis(y, chart.y.label);
  if (chart.diagonal) frame.diagonal(x, y);
  frame.begin_clip();
  Lines lines(frame, x, y);
  std::vector<std::vector<LinePoint>> drawn;
  for (const LineSeries& one : series) drawn.push_back(lines.thinned(one));
  for (std::size_t i = 0; i < series.size(); ++i) lines.draw_band(drawn[i], series_class(i));
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (series[i].points.empty()) continue;
    lines.draw_line(series[i], drawn[i], i);
    sentences.push_back(sentence(series[i]));
    for (const LinePoint& point : drawn[i]) {
      csv +=
          fmt::format("{},{},{},{},{}\n", csv_field(series[i].label), number_text(point.x), number_text(point.y),
                      point.band ? number_text(point.band->low) : "", point.band ? number_text(point.band->high) : "");
    }
  }
  frame.end_clip();
  return frame.finish(description_of(chart.caption, sentences), std::move(csv));
}

}  // namespace nearfar::plot
