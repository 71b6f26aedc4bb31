#pragma once
/// The charts: plain numbers to a Figure. Pure functions, safe from any thread: equal numbers give equal bytes.
///
/// Nothing throws for data: what is not finite is left out and counted in a note below the picture, and a chart without
/// anything to draw says so. Texts may hold anything; they are escaped (svg.h), and cut where there is no room, the
/// whole text then being the tooltip. More than eight series repeat the colours with dashes.
#include "plot/figure.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace nearfar::plot {

struct Caption {
  std::string id = {}, title = {};
  std::string description = {};         ///< "" = made of the data, a sentence a series or row
  std::vector<std::string> notes = {};  ///< lines below the picture
};

enum class Scale { linear, logarithmic };

struct Axis {
  std::string label = {};
  Scale scale = Scale::linear;
  std::optional<double> low = {}, high = {};  ///< empty: of the data, with a little room
};

/// From low to high.
struct Interval {
  double low = 0, high = 0;
};

// ---------------------------------------------------------------------------------------------------------------------

struct LinePoint {
  double x = 0, y = 0;
  std::optional<Interval> band = {};  ///< shaded around the line
};
struct LineSeries {
  std::string label = {};
  std::vector<LinePoint> points = {};  ///< in the order of drawing
  bool markers = false;
};
/// Lines are thinned: no point of the full line is farther than half a unit of the viewBox from what is drawn, which is
/// half a pixel of a figure shown 720 pixels wide. The CSV has the points drawn, with all of their digits. On a
/// logarithmic axis what is not positive lies beyond the left or lower edge.
struct LineChart {
  Caption caption = {};
  Axis x = {}, y = {};
  std::vector<LineSeries> series = {};
  bool diagonal = false;  ///< a faint line from corner to corner where x = y: what chance gives a ROC curve
};
Figure line_chart(const LineChart& chart);

// ---------------------------------------------------------------------------------------------------------------------

struct Distribution {
  std::string label = {};
  std::vector<double> values = {};
};
/// Densities (each distribution has area 1) over common bins of equal width. The axis spans the 0.5th to the 99.5th
/// percentile of each distribution, so that one far value does not hide the rest; what lies beyond is counted in the
/// outermost bins, and a note says how much that is.
struct HistogramChart {
  Caption caption = {};
  std::string x_label = {};
  std::vector<Distribution> distributions = {};
  std::size_t bins = 60;
};
Figure histogram_chart(const HistogramChart& chart);

// ---------------------------------------------------------------------------------------------------------------------

struct ScatterPoint {
  std::string label = {}, group = {};  ///< group "" = the only one; a group is a colour and a shape
  double x = 0, y = 0;
  std::optional<Interval> x_whisker = {}, y_whisker = {};
};
enum class Pareto { none, low_x_high_y, high_x_high_y };
/// A label that fits nowhere beside its point is left out and stays its tooltip; a note says how many.
struct ScatterChart {
  Caption caption = {};
  Axis x = {}, y = {};
  std::vector<ScatterPoint> points = {};
  Pareto pareto = Pareto::none;  ///< a step line through the points that no other is better than in both
  bool diagonal = false;         ///< where x = y
};
Figure scatter_chart(const ScatterChart& chart);

// ---------------------------------------------------------------------------------------------------------------------

enum class Colours { sequential, diverging };
struct HeatmapChart {
  Caption caption = {};
  std::vector<std::string> rows = {}, columns = {};
  std::vector<std::vector<std::optional<double>>> values = {};  ///< [row][column]; none: an empty field
  std::string row_label = {}, column_label = {};
  int decimals = 2;  ///< as printed
  Colours colours = Colours::sequential;
  double middle = 0;           ///< of diverging colours
  bool columns_apart = false;  ///< each column has colours of its own, from its lowest to its highest value
};
Figure heatmap_chart(const HeatmapChart& chart);

// ---------------------------------------------------------------------------------------------------------------------

struct IntervalRow {
  std::string label = {}, group = {};  ///< rows of a group stand together in their order, under its name
  double estimate = 0;
  std::optional<Interval> interval = {};
};
/// A forest of estimates around a reference line; as bars from the reference it is a tornado. Rows are drawn in their
/// order; one whose interval does not cross the reference is in full colour.
struct IntervalChart {
  Caption caption = {};
  Axis x = {};
  std::vector<IntervalRow> rows = {};
  double reference = 0;
  bool bars = false;
  int decimals = 2;  ///< of the numbers printed beside each row
};
Figure interval_chart(const IntervalChart& chart);

// ---------------------------------------------------------------------------------------------------------------------

struct RankedMethod {
  std::string label = {};
  double mean_rank = 0;  ///< 1 = the best
};
/// Demšar 2006 (JMLR 7), figure 1, without a critical distance: cliques are given. Best on the left.
struct CriticalDifferenceChart {
  Caption caption = {};
  std::vector<RankedMethod> methods = {};
  std::vector<std::vector<std::size_t>> cliques =
      {};  ///< indices of methods that do not differ; those of one are not drawn
};
Figure critical_difference_chart(const CriticalDifferenceChart& chart);

}  // namespace nearfar::plot
