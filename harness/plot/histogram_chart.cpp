#include "base/csv.h"
#include "base/text.h"
#include "plot/frame.h"
#include "plot/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

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

/// The bins that all distributions share.
struct Bins {
  Interval span = {};
  std::size_t count = 1;
  double width = 1;

  double low(std::size_t bin) const { return span.low + width * static_cast<double>(bin); }
};

std::vector<double> densities_of(const std::vector<std::size_t>& counts, std::size_t total, const Bins& bins) {
  std::vector<double> densities;
  for (const std::size_t count : counts)
    densities.push_back(static_cast<double>(count) / (static_cast<double>(total) * bins.width));
  return densities;
}

void draw(Frame& frame, const AxisRange& x, const AxisRange& y, const Bins& bins, const std::vector<double>& densities,
          const std::string& classes) {
  std::vector<Place> outline{frame.place(x, y, bins.span.low, 0)};
  for (std::size_t bin = 0; bin < densities.size(); ++bin) {
    outline.push_back(frame.place(x, y, bins.low(bin), densities[bin]));
    outline.push_back(frame.place(x, y, bins.low(bin + 1), densities[bin]));
  }
  outline.push_back(frame.place(x, y, bins.span.high, 0));
  frame.svg().polygon(outline, "nfp-a " + classes);
  frame.svg().polyline(outline, "nfp-l " + classes);
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
  Bins bins{.span = span_of(all), .count = std::clamp<std::size_t>(chart.bins, 1, 500)};
  bins.width = (bins.span.high - bins.span.low) / static_cast<double>(bins.count);
  std::vector<std::vector<double>> densities(all.size());
  std::vector<std::string> notes, sentences;
  std::vector<LegendEntry> legend;
  std::vector<double> heights{0};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string& label = chart.distributions[i].label;
    legend.push_back({.label = label, .mark = LegendEntry::Mark::area, .classes = series_class(i)});
    if (all[i].empty()) continue;
    const std::vector<std::size_t> counts = counts_of(all[i], bins.span, bins.count);
    densities[i] = densities_of(counts, all[i].size(), bins);
    heights.insert(heights.end(), densities[i].begin(), densities[i].end());
    beyond += outside(all[i], bins.span);
    sentences.push_back(sentence(label, all[i]));
    for (std::size_t bin = 0; bin < bins.count; ++bin) {
      csv += fmt::format("{},{},{},{},{}\n", csv_field(label), number_text(bins.low(bin)),
                         number_text(bins.low(bin + 1)), counts[bin], number_text(densities[i][bin]));
    }
  }
  if (beyond > 0) notes.push_back(fmt::format("values beyond the axis, which are in the outermost bins: {}", beyond));
  note_left_out(notes, left_out);
  const AxisRange x{Scale::linear, bins.span.low, bins.span.high};
  const AxisRange y = range_of({.low = 0.0}, heights);
  Frame frame(chart.caption, 320, {}, legend, notes);
  frame.x_axis(x, chart.x_label);
  frame.y_axis(y, "density");
  for (std::size_t i = 0; i < densities.size(); ++i) {
    if (!densities[i].empty()) draw(frame, x, y, bins, densities[i], series_class(i));
  }
  return frame.finish(description_of(chart.caption, sentences), std::move(csv));
}

}  // namespace nearfar::plot
