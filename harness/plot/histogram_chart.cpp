#include "base/csv.h"
#include "base/text.h"
#include "plot/frame.h"
#include "plot/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar::plot {
namespace {

/// Sorted, without what is not finite.
std::vector<std::vector<double>> sorted_values(const HistogramChart& chart, std::size_t& left_out) {
  std::vector<std::vector<double>> all;
  for (const Distribution& one : chart.distributions) {
    std::vector<double>& values = all.emplace_back(one.values);
    left_out += std::erase_if(values, [](double value) { return !std::isfinite(value) || std::abs(value) > 1e300; });
    std::ranges::sort(values);
  }
  return all;
}

/// The value below which `share` of them are.
double percentile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)))];
}

Interval span_of(const std::vector<std::vector<double>>& all) {
  Interval span;
  bool any = false;
  for (const std::vector<double>& values : all) {
    if (values.empty()) continue;
    const double low = percentile(values, 0.005), high = percentile(values, 0.995);
    span = {any ? std::min(span.low, low) : low, any ? std::max(span.high, high) : high};
    any = true;
  }
  if (!(span.low < span.high)) {  // all of one value
    const double room = std::max(std::abs(span.low) * 0.05, 0.5);
    span = {span.low - room, span.high + room};
  }
  return span;
}

std::vector<std::size_t> counts_of(const std::vector<double>& values, const Interval& span, std::size_t bins) {
  std::vector<std::size_t> counts(bins, 0);
  for (const double value : values) {
    const double place = (value - span.low) / (span.high - span.low) * static_cast<double>(bins);
    ++counts[static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(bins) - 1))];
  }
  return counts;
}

std::size_t outside(const std::vector<double>& values, const Interval& span) {
  return static_cast<std::size_t>(
      std::ranges::count_if(values, [&](double value) { return value < span.low || value > span.high; }));
}

std::string sentence(const std::string& label, const std::vector<double>& values) {
  return fmt::format("{}: {} values, median {}, the middle half from {} to {}.", label, values.size(),
                     short_number(percentile(values, 0.5)), short_number(percentile(values, 0.25)),
                     short_number(percentile(values, 0.75)));
}

}  // namespace

Figure histogram_chart(const HistogramChart& chart) {
  std::string csv = "distribution,low,high,count,density\n";
  std::size_t left_out = 0, beyond = 0;
  const std::vector<std::vector<double>> all = sorted_values(chart, left_out);
  if (std::ranges::all_of(all, [](const auto& values) { return values.empty(); }))
    return empty_figure(chart.caption, "no values", csv);
  const Interval span = span_of(all);
  const std::size_t bins = std::clamp<std::size_t>(chart.bins, 1, 500);
  const double width = (span.high - span.low) / static_cast<double>(bins);
  std::vector<std::vector<double>> densities;
  std::vector<std::string> notes, sentences;
  std::vector<LegendEntry> legend;
  std::vector<double> heights{0};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string& label = chart.distributions[i].label;
    const std::vector<std::size_t> counts = counts_of(all[i], span, bins);
    std::vector<double>& density = densities.emplace_back();
    legend.push_back({.label = label, .mark = LegendEntry::Mark::area, .classes = series_class(i)});
    if (all[i].empty()) continue;
    beyond += outside(all[i], span);
    sentences.push_back(sentence(label, all[i]));
    for (std::size_t bin = 0; bin < bins; ++bin) {
      density.push_back(static_cast<double>(counts[bin]) / (static_cast<double>(all[i].size()) * width));
      const double from = span.low + width * static_cast<double>(bin);
      csv += fmt::format("{},{},{},{},{}\n", csv_field(label), number_text(from), number_text(from + width),
                         counts[bin], number_text(density.back()));
    }
    heights.insert(heights.end(), density.begin(), density.end());
  }
  if (beyond > 0) notes.push_back(fmt::format("{} values beyond the axis are in the outermost bins", beyond));
  note_left_out(notes, left_out);
  const AxisRange x{Scale::linear, span.low, span.high};
  const AxisRange y = range_of({.low = 0.0}, heights);
  Frame frame(chart.caption, 320, {}, legend, notes);
  frame.x_axis(x, chart.x_label);
  frame.y_axis(y, "density");
  for (std::size_t i = 0; i < densities.size(); ++i) {
    if (densities[i].empty()) continue;
    std::vector<Place> outline{frame.place(x, y, span.low, 0)};
    for (std::size_t bin = 0; bin < bins; ++bin) {
      const double from = span.low + width * static_cast<double>(bin);
      outline.push_back(frame.place(x, y, from, densities[i][bin]));
      outline.push_back(frame.place(x, y, from + width, densities[i][bin]));
    }
    outline.push_back(frame.place(x, y, span.high, 0));
    frame.svg().polygon(outline, "nfp-a " + series_class(i));
    frame.svg().polyline(outline, "nfp-l " + series_class(i));
  }
  return frame.finish(description_of(chart.caption, sentences), std::move(csv));
}

}  // namespace nearfar::plot
