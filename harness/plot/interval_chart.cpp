#include "base/csv.h"
#include "base/text.h"
#include "plot/frame.h"
#include "plot/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar::plot {
namespace {

constexpr double kRow = 22, kLabelSize = 12, kLongest = 260;

bool is_finite(const IntervalRow& row) {
  return std::isfinite(row.estimate) &&
         (!row.interval || (std::isfinite(row.interval->low) && std::isfinite(row.interval->high)));
}

/// A row, or the name of a group above its rows.
struct ShownLine {
  const IntervalRow* row = nullptr;
  std::string group = {};
};
std::vector<ShownLine> lines_of(const std::vector<IntervalRow>& rows) {
  std::vector<std::string> groups;
  for (const IntervalRow& row : rows) {
    if (std::ranges::find(groups, row.group) == groups.end()) groups.push_back(row.group);
  }
  std::vector<ShownLine> lines;
  for (const std::string& group : groups) {
    if (!group.empty()) lines.push_back({.group = group});
    for (const IntervalRow& row : rows) {
      if (row.group == group) lines.push_back({.row = &row});
    }
  }
  return lines;
}

std::string number(double value, int decimals) { return fmt::format("{:.{}f}", value, std::clamp(decimals, 0, 17)); }

/// "0.31 [0.12, 0.50]".
std::string numbers_text(const IntervalRow& row, int decimals) {
  const std::string estimate = number(row.estimate, decimals);
  if (!row.interval) return estimate;
  return fmt::format("{} [{}, {}]", estimate, number(row.interval->low, decimals),
                     number(row.interval->high, decimals));
}

AxisRange range_of_rows(const IntervalChart& chart, const std::vector<IntervalRow>& rows) {
  std::vector<double> values;
  if (chart.x.scale == Scale::linear || chart.reference > 0) values.push_back(chart.reference);
  for (const IntervalRow& row : rows) {
    values.push_back(row.estimate);
    if (row.interval) values.insert(values.end(), {row.interval->low, row.interval->high});
  }
  return range_of(chart.x, values);
}

/// Whether the reference is none of the interval's: what is told apart by more than its sign.
bool is_apart(const IntervalRow& row, double reference) {
  return row.interval && (row.interval->low > reference || row.interval->high < reference);
}

class Forest {
 public:
  Forest(Frame& frame, const IntervalChart& chart, const AxisRange& x) : frame_(frame), chart_(chart), x_(x) {}

  void draw(const std::vector<ShownLine>& lines) {
    const Box& box = frame_.box();
    const double reference = at(chart_.reference);
    if (reference >= box.left && reference <= box.right())
      frame_.svg().line({reference, box.top}, {reference, box.bottom()}, "nfp-axis");
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const double y = box.top + kRow * (static_cast<double>(i) + 0.5) + 3;
      if (lines[i].row != nullptr)
        draw_row(*lines[i].row, y);
      else
        frame_.svg().text({12, y + 4}, fitted(lines[i].group, kLabelSize, box.left - 20), "nfp-s", Anchor::start,
                          lines[i].group);
    }
  }

 private:
  double at(double value) const {
    return std::clamp(frame_.place(x_, x_, value, x_.low).x, frame_.box().left - 4, frame_.box().right() + 4);
  }

  void draw_row(const IntervalRow& row, double y) {
    const Box& box = frame_.box();
    Svg& svg = frame_.svg();
    const std::string label = fitted(row.label, kLabelSize, box.left - 28);
    svg.text({box.left - 10, y + 4}, label, "nfp-t", Anchor::end, label == row.label ? "" : row.label);
    const std::string colour = row.estimate < chart_.reference ? "nfp-c1" : "nfp-c0";
    const std::string strength = !row.interval || is_apart(row, chart_.reference) ? "" : " nfp-weak";
    if (chart_.bars) {
      const double from = std::min(at(row.estimate), at(chart_.reference)),
                   to = std::max(at(row.estimate), at(chart_.reference));
      svg.rect({from, y - 6}, to - from, 12, "nfp-f " + colour + strength);
    }
    if (row.interval)
      svg.line({at(row.interval->low), y}, {at(row.interval->high), y},
               chart_.bars ? "nfp-axis" : "nfp-l " + colour + strength);
    if (!chart_.bars) svg.marker({at(row.estimate), y}, 4.5, 1, "nfp-f " + colour + strength);
    svg.text({kWidth - 12, y + 4}, numbers_text(row, chart_.decimals), "nfp-s", Anchor::end);
  }

  Frame& frame_;
  const IntervalChart& chart_;
  const AxisRange& x_;
};

std::string csv_of(const std::vector<IntervalRow>& rows) {
  std::string csv = "label,group,estimate,low,high\n";
  for (const IntervalRow& row : rows) {
    csv += fmt::format("{},{},{},{},{}\n", csv_field(row.label), csv_field(row.group), number_text(row.estimate),
                       row.interval ? number_text(row.interval->low) : "",
                       row.interval ? number_text(row.interval->high) : "");
  }
  return csv;
}

Margins margins_of(const std::vector<IntervalRow>& rows, int decimals) {
  double label = 0, numbers = 0;
  for (const IntervalRow& row : rows) {
    label = std::max({label, text_width(row.label, kLabelSize), text_width(row.group, kLabelSize) - 8});
    numbers = std::max(numbers, text_width(numbers_text(row, decimals), 11));
  }
  return {.left = 28 + std::min(label, kLongest), .right = 28 + numbers};
}

}  // namespace

Figure interval_chart(const IntervalChart& chart) {
  std::vector<IntervalRow> rows = chart.rows;
  const std::size_t left_out = std::erase_if(rows, [](const IntervalRow& row) { return !is_finite(row); });
  if (rows.empty()) return empty_figure(chart.caption, "no values", csv_of(rows));
  std::vector<std::string> notes, sentences;
  note_left_out(notes, left_out);
  for (const IntervalRow& row : rows) {
    const std::string group = row.group.empty() ? "" : row.group + ", ";
    sentences.push_back(fmt::format("{}{}: {}.", group, row.label, numbers_text(row, chart.decimals)));
  }
  const std::vector<ShownLine> lines = lines_of(rows);
  const AxisRange x = range_of_rows(chart, rows);
  Frame frame(chart.caption, kRow * static_cast<double>(lines.size()) + 6, margins_of(rows, chart.decimals), {}, notes);
  frame.x_axis(x, chart.x.label);
  Forest(frame, chart, x).draw(lines);
  return frame.finish(description_of(chart.caption, sentences), csv_of(rows));
}

}  // namespace nearfar::plot
