#include "base/csv.h"
#include "base/text.h"
#include "plot/frame.h"
#include "plot/labels.h"
#include "plot/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace nearfar::plot {
namespace {

bool is_finite(const std::optional<Interval>& whisker) {
  return !whisker || (std::isfinite(whisker->low) && std::isfinite(whisker->high));
}

std::vector<ScatterPoint> finite_points(const ScatterChart& chart, std::size_t& left_out) {
  std::vector<ScatterPoint> points = chart.points;
  left_out = std::erase_if(points, [&](const ScatterPoint& point) {
    return !std::isfinite(point.x) || !std::isfinite(point.y) || !is_finite(point.x_whisker) ||
           !is_finite(point.y_whisker) || (chart.x.scale == Scale::logarithmic && point.x <= 0) ||
           (chart.y.scale == Scale::logarithmic && point.y <= 0);
  });
  return points;
}

/// In the order in which they are first seen.
std::vector<std::string> groups_of(const std::vector<ScatterPoint>& points) {
  std::vector<std::string> groups;
  for (const ScatterPoint& point : points) {
    if (std::ranges::find(groups, point.group) == groups.end()) groups.push_back(point.group);
  }
  return groups;
}

std::pair<AxisRange, AxisRange> ranges_of(const ScatterChart& chart, const std::vector<ScatterPoint>& points) {
  std::vector<double> xs, ys;
  const auto add = [](std::vector<double>& values, double value, const std::optional<Interval>& whisker) {
    values.push_back(value);
    if (whisker) values.insert(values.end(), {whisker->low, whisker->high});
  };
  for (const ScatterPoint& point : points) {
    add(xs, point.x, point.x_whisker);
    add(ys, point.y, point.y_whisker);
  }
  return {range_of(chart.x, xs), range_of(chart.y, ys)};
}

/// Those that no other is at least as good as in both and better in one; from the left to the right.
std::vector<const ScatterPoint*> front_of(const std::vector<ScatterPoint>& points, Pareto pareto) {
  std::vector<const ScatterPoint*> front;
  if (pareto == Pareto::none) return front;
  const double sign = pareto == Pareto::low_x_high_y ? -1 : 1;
  const auto better = [&](const ScatterPoint& a, const ScatterPoint& b) {
    return sign * a.x >= sign * b.x && a.y >= b.y && (sign * a.x > sign * b.x || a.y > b.y);
  };
  for (const ScatterPoint& point : points) {
    if (std::ranges::none_of(points, [&](const ScatterPoint& other) { return better(other, point); }))
      front.push_back(&point);
  }
  std::ranges::stable_sort(front, {}, &ScatterPoint::x);
  return front;
}

class Points {
 public:
  Points(Frame& frame, const AxisRange& x, const AxisRange& y) : frame_(frame), x_(x), y_(y) {}

  Place at(double x, double y) const { return frame_.place(x_, y_, x, y); }

  /// What can be had: the best y for at most this x, or for at least it.
  void draw_front(const std::vector<const ScatterPoint*>& front, Pareto pareto) {
    std::vector<Place> steps;
    for (std::size_t i = 0; i < front.size(); ++i) {
      if (i > 0) {
        const bool y_first = pareto == Pareto::high_x_high_y;
        steps.push_back(y_first ? at(front[i - 1]->x, front[i]->y) : at(front[i]->x, front[i - 1]->y));
      }
      steps.push_back(at(front[i]->x, front[i]->y));
    }
    if (steps.size() > 1) frame_.svg().polyline(steps, "nfp-ref");
  }

  void draw_whiskers(const ScatterPoint& point, const std::string& classes) {
    if (point.x_whisker)
      frame_.svg().line(at(point.x_whisker->low, point.y), at(point.x_whisker->high, point.y), classes);
    if (point.y_whisker)
      frame_.svg().line(at(point.x, point.y_whisker->low), at(point.x, point.y_whisker->high), classes);
  }

 private:
  Frame& frame_;
  const AxisRange &x_, &y_;
};

std::string sentence(const ScatterPoint& point) {
  const std::string group = point.group.empty() || point.group == point.label ? "" : " (" + point.group + ")";
  return fmt::format("{}{}: {}, {}.", point.label, group, short_number(point.x), short_number(point.y));
}

std::string csv_of(const std::vector<ScatterPoint>& points) {
  std::string csv = "label,group,x,x_low,x_high,y,y_low,y_high\n";
  const auto ends = [](const std::optional<Interval>& whisker) {
    return whisker ? fmt::format("{},{}", number_text(whisker->low), number_text(whisker->high)) : std::string(",");
  };
  for (const ScatterPoint& point : points) {
    csv += fmt::format("{},{},{},{},{},{}\n", csv_field(point.label), csv_field(point.group), number_text(point.x),
                       ends(point.x_whisker), number_text(point.y), ends(point.y_whisker));
  }
  return csv;
}

std::vector<LegendEntry> legend_of(const std::vector<std::string>& groups) {
  std::vector<LegendEntry> legend;
  if (groups.size() == 1 && groups[0].empty()) return legend;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    legend.push_back({.label = groups[i].empty() ? "others" : groups[i],
                      .mark = LegendEntry::Mark::marker,
                      .classes = fmt::format("nfp-c{}", i % kColours),
                      .shape = i});
  }
  return legend;
}

/// Axis titles of both sides, for the beginning of the description.
std::string axes_sentence(const ScatterChart& chart) {
  return fmt::format("{} to the right, {} upwards.", chart.x.label, chart.y.label);
}

}  // namespace

Figure scatter_chart(const ScatterChart& chart) {
  std::size_t left_out = 0;
  const std::vector<ScatterPoint> points = finite_points(chart, left_out);
  if (points.empty()) return empty_figure(chart.caption, "no points", csv_of(points));
  std::vector<std::string> notes, sentences{axes_sentence(chart)}, labels;
  note_left_out(notes, left_out);
  const std::vector<std::string> groups = groups_of(points);
  const auto [x, y] = ranges_of(chart, points);
  constexpr double kHeight = 400, kLongest = 240;
  const std::vector<LegendEntry> legend = legend_of(groups);
  // Labels are placed first: a note below tells how many are left out, and the box lies where the legend lets it.
  const Frame measured(chart.caption, kHeight, {}, legend, {});
  std::vector<Place> places;
  for (const ScatterPoint& point : points) {
    places.push_back(measured.place(x, y, point.x, point.y));
    labels.push_back(fitted(point.label, 11, kLongest));
  }
  const auto label_places = place_labels(measured.box(), places, labels);
  std::size_t unplaced = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) unplaced += !labels[i].empty() && !label_places[i] ? 1 : 0;
  if (unplaced > 0) notes.push_back(fmt::format("labels of {} points are left out, as there is no room", unplaced));
  const std::vector<const ScatterPoint*> front = front_of(points, chart.pareto);
  if (front.size() > 1) notes.emplace_back("dashed: no point is better in both (Pareto front)");

  Frame frame(chart.caption, kHeight, {}, legend, notes);
  frame.x_axis(x, chart.x.label);
  frame.y_axis(y, chart.y.label);
  frame.begin_clip();
  if (chart.diagonal) frame.diagonal(x, y);
  Points drawing(frame, x, y);
  drawing.draw_front(front, chart.pareto);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto group = static_cast<std::size_t>(std::ranges::find(groups, points[i].group) - groups.begin());
    const std::string colour = fmt::format("nfp-c{}", group % kColours);
    drawing.draw_whiskers(points[i], "nfp-l nfp-weak " + colour);
    frame.svg().marker(places[i], 4.5, group, "nfp-f " + colour, sentence(points[i]));
    sentences.push_back(sentence(points[i]));
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (label_places[i])
      frame.svg().text(label_places[i]->at, labels[i], "nfp-t nfp-s nfp-halo", label_places[i]->anchor);
  }
  frame.end_clip();
  return frame.finish(description_of(chart.caption, sentences), csv_of(points));
}

}  // namespace nearfar::plot
