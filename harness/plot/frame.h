#pragma once
/// What all charts have around their data: title, legend, axes, notes, and the finished Figure. Private to plot/.
#include "plot/axis.h"
#include "plot/charts.h"
#include "plot/svg.h"

#include <cstddef>
#include <string>
#include <vector>

namespace nearfar::plot {

inline constexpr double kWidth = 720;

/// The rectangle that data are drawn in.
struct Box {
  double left = 0, top = 0, width = 0, height = 0;
  double right() const { return left + width; }
  double bottom() const { return top + height; }
};

struct LegendEntry {
  enum class Mark { line, area, marker };
  std::string label = {};
  Mark mark = Mark::line;
  std::string classes = {};  ///< of the colour
  std::size_t shape = 0;     ///< of a marker
};

/// Room around the box.
struct Margins {
  double left = 64, right = 24;
  double above = 6, below = 46;  ///< for what is written at the axes
};

class Frame {
 public:
  /// Writes title, legend and notes around a box of this height.
  Frame(const Caption& caption, double height, const Margins& margins, const std::vector<LegendEntry>& legend,
        const std::vector<std::string>& notes);

  const Box& box() const { return box_; }
  Svg& svg() { return svg_; }

  /// Numbers below with lines of the grid, and what they are.
  void x_axis(const AxisRange& range, const std::string& label);
  void y_axis(const AxisRange& range, const std::string& label);
  void diagonal(const AxisRange& x, const AxisRange& y);
  Place place(const AxisRange& x, const AxisRange& y, double at_x, double at_y) const;

  /// What is drawn between these is cut at the box.
  void begin_clip();
  void end_clip();

  Figure finish(const std::string& description, std::string csv);

 private:
  void write_title();
  void write_legend(const std::vector<LegendEntry>& legend);
  void write_notes(const std::vector<std::string>& notes, double top);
  Caption caption_;
  double height_ = 0;
  Box box_ = {};
  Svg svg_ = {};
};

/// A figure that says why there is nothing to see.
Figure empty_figure(const Caption& caption, const std::string& why, const std::string& csv_header);

/// "3 values that are not finite are left out", or nothing.
void note_left_out(std::vector<std::string>& notes, std::size_t count);

/// The caption's description, else the sentences; of many the first ten.
std::string description_of(const Caption& caption, const std::vector<std::string>& sentences);

}  // namespace nearfar::plot
