#include "base/csv.h"
#include "base/text.h"
#include "plot/frame.h"
#include "plot/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar::plot {
namespace {

constexpr double kRow = 26, kLabelSize = 12, kLongestRow = 250, kLongestColumn = 150;

/// Within the table and finite; what lacks is none.
std::optional<double> value_at(const HeatmapChart& chart, std::size_t row, std::size_t column) {
  if (row >= chart.values.size() || column >= chart.values[row].size()) return std::nullopt;
  const std::optional<double> value = chart.values[row][column];
  return value && std::isfinite(*value) ? value : std::nullopt;
}

/// Of all values, or of those of one column.
Interval span_of(const HeatmapChart& chart, std::optional<std::size_t> only) {
  Interval span;
  bool any = false;
  for (std::size_t row = 0; row < chart.rows.size(); ++row) {
    for (std::size_t column = 0; column < chart.columns.size(); ++column) {
      const std::optional<double> value = value_at(chart, row, column);
      if (!value || (only && *only != column)) continue;
      span = {any ? std::min(span.low, *value) : *value, any ? std::max(span.high, *value) : *value};
      any = true;
    }
  }
  return span;
}

/// A colour's class, and how strong it is.
struct Shade {
  std::string_view classes;
  double strength = 0;
};
Shade shade_of(const HeatmapChart& chart, const Interval& span, double value) {
  if (chart.colours == Colours::diverging) {
    const double most = std::max(std::abs(span.low - chart.middle), std::abs(span.high - chart.middle));
    const double share = most > 0 ? (value - chart.middle) / most : 0;
    return {share < 0 ? "nfp-c1" : "nfp-c0", std::abs(share)};
  }
  return {"nfp-c0", span.high > span.low ? (value - span.low) / (span.high - span.low) : 0.5};
}

struct Grid {
  double left = 0, column_width = 0, head = 0;  ///< head: for names of columns
  bool upright = false;                         ///< of columns: written upwards, as they are too long
};
Grid grid_of(const HeatmapChart& chart) {
  double row_width = 0, column_text = 0;
  for (const std::string& row : chart.rows) row_width = std::max(row_width, text_width(row, kLabelSize));
  for (const std::string& column : chart.columns) column_text = std::max(column_text, text_width(column, kLabelSize));
  Grid grid;
  grid.left = 24 + std::min(row_width, kLongestRow) + (chart.row_label.empty() ? 0 : 18);
  grid.column_width = std::min(120.0, (kWidth - 16 - grid.left) / static_cast<double>(chart.columns.size()));
  grid.upright = column_text > grid.column_width - 6;
  grid.head = grid.upright ? std::min(column_text, kLongestColumn) + 12 : 22;
  return grid;
}

void draw_names(Frame& frame, const HeatmapChart& chart, const Grid& grid) {
  const Box& box = frame.box();
  Svg& svg = frame.svg();
  for (std::size_t row = 0; row < chart.rows.size(); ++row) {
    const double y = box.top + kRow * (static_cast<double>(row) + 0.5) + 4;
    const std::string text = fitted(chart.rows[row], kLabelSize, kLongestRow);
    svg.text({grid.left - 8, y}, text, "nfp-t", Anchor::end, text == chart.rows[row] ? "" : chart.rows[row]);
  }
  for (std::size_t column = 0; column < chart.columns.size(); ++column) {
    const double x = grid.left + grid.column_width * (static_cast<double>(column) + 0.5);
    const std::string text =
        fitted(chart.columns[column], kLabelSize, grid.upright ? kLongestColumn : grid.column_width);
    if (grid.upright) {
      svg.open("g", "",
               fmt::format("transform=\"translate({} {}) rotate(-90)\"", coordinate(x + 4), coordinate(box.top - 6)));
      svg.text({0, 0}, text, "nfp-t", Anchor::start, text == chart.columns[column] ? "" : chart.columns[column]);
      svg.close("g");
    } else {
      svg.text({x, box.top - 8}, text, "nfp-t", Anchor::middle);
    }
  }
  const double middle = grid.left + grid.column_width * static_cast<double>(chart.columns.size()) / 2;
  svg.text({middle, box.bottom() + 18}, fitted(chart.column_label, kLabelSize, kWidth / 2), "nfp-s", Anchor::middle);
  if (!chart.row_label.empty())
    svg.text_upwards({14, box.top + box.height / 2}, fitted(chart.row_label, kLabelSize, box.height), "nfp-s");
}

void draw_fields(Frame& frame, const HeatmapChart& chart, const Grid& grid) {
  const Interval all = span_of(chart, std::nullopt);
  // Where columns are narrow, numbers are left to the tooltip.
  const bool printed = grid.column_width >= 24 + 5.0 * std::max(0, chart.decimals);
  for (std::size_t column = 0; column < chart.columns.size(); ++column) {
    const Interval span = chart.columns_apart ? span_of(chart, column) : all;
    for (std::size_t row = 0; row < chart.rows.size(); ++row) {
      const Place corner{grid.left + grid.column_width * static_cast<double>(column),
                         frame.box().top + kRow * static_cast<double>(row)};
      const std::optional<double> value = value_at(chart, row, column);
      if (!value) {
        frame.svg().text({corner.x + grid.column_width / 2, corner.y + kRow / 2 + 4}, "–", "nfp-s", Anchor::middle);
        continue;
      }
      const Shade shade = shade_of(chart, span, *value);
      const std::string number = fmt::format("{:.{}f}", *value, std::clamp(chart.decimals, 0, 17));
      frame.svg().rect({corner.x + 1, corner.y + 1}, grid.column_width - 2, kRow - 2,
                       fmt::format("nfp-f {}", shade.classes),
                       fmt::format("{}, {}: {}", chart.rows[row], chart.columns[column], number),
                       fmt::format("fill-opacity=\"{:.2f}\"", 0.04 + 0.96 * shade.strength));
      if (printed) {  // the text in the colour of the ground where the field is strong: readable in light and dark
        frame.svg().text({corner.x + grid.column_width / 2, corner.y + kRow / 2 + 4}, number,
                         shade.strength > 0.78 ? "nfp-g" : "nfp-t", Anchor::middle);
      }
    }
  }
}

std::string csv_of(const HeatmapChart& chart) {
  std::string csv = "row,column,value\n";
  for (std::size_t row = 0; row < chart.rows.size(); ++row) {
    for (std::size_t column = 0; column < chart.columns.size(); ++column) {
      const std::optional<double> value = value_at(chart, row, column);
      csv += fmt::format("{},{},{}\n", csv_field(chart.rows[row]), csv_field(chart.columns[column]),
                         value ? number_text(*value) : "");
    }
  }
  return csv;
}

/// Of each column the highest and the lowest.
std::vector<std::string> sentences_of(const HeatmapChart& chart) {
  std::vector<std::string> sentences;
  for (std::size_t column = 0; column < chart.columns.size(); ++column) {
    std::optional<std::size_t> best, worst;
    for (std::size_t row = 0; row < chart.rows.size(); ++row) {
      const std::optional<double> value = value_at(chart, row, column);
      if (!value) continue;
      if (!best || *value > *value_at(chart, *best, column)) best = row;
      if (!worst || *value < *value_at(chart, *worst, column)) worst = row;
    }
    if (!best) continue;
    sentences.push_back(fmt::format("{}: highest {:.{}f} ({}), lowest {:.{}f} ({}).", chart.columns[column],
                                    *value_at(chart, *best, column), chart.decimals, chart.rows[*best],
                                    *value_at(chart, *worst, column), chart.decimals, chart.rows[*worst]));
  }
  return sentences;
}

}  // namespace

Figure heatmap_chart(const HeatmapChart& chart) {
  const std::vector<std::string> sentences = sentences_of(chart);
  if (sentences.empty()) return empty_figure(chart.caption, "no values", "row,column,value\n");
  const Grid grid = grid_of(chart);
  const Margins margins{
      .left = grid.left, .right = 16, .above = grid.head, .below = chart.column_label.empty() ? 14.0 : 32.0};
  std::vector<std::string> notes;
  if (chart.columns_apart)
    notes.emplace_back("each column has colours of its own, from its lowest to its highest value");
  Frame frame(chart.caption, kRow * static_cast<double>(chart.rows.size()), margins, {}, notes);
  draw_fields(frame, chart, grid);
  draw_names(frame, chart, grid);
  return frame.finish(description_of(chart.caption, sentences), csv_of(chart));
}

}  // namespace nearfar::plot
