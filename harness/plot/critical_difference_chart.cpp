#include "base/csv.h"
#include "base/text.h"
#include "plot/frame.h"
#include "plot/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar::plot {
namespace {

constexpr double kRow = 20, kLabelSize = 12, kSide = 250, kBar = 9;

/// Methods in the order of their ranks; the better half is named on the left, best on top.
struct Ordered {
  std::vector<std::size_t> methods = {};            ///< indices of the chart's
  std::vector<std::vector<std::size_t>> bars = {};  ///< of the cliques: places in `methods`, ascending
};
Ordered ordered(const CriticalDifferenceChart& chart) {
  Ordered result;
  for (std::size_t i = 0; i < chart.methods.size(); ++i) {
    if (std::isfinite(chart.methods[i].mean_rank)) result.methods.push_back(i);
  }
  std::ranges::stable_sort(result.methods, {}, [&](std::size_t i) { return chart.methods[i].mean_rank; });
  for (const std::vector<std::size_t>& clique : chart.cliques) {
    std::vector<std::size_t> places;
    for (const std::size_t member : clique) {
      const auto found = std::ranges::find(result.methods, member);
      if (found != result.methods.end()) places.push_back(static_cast<std::size_t>(found - result.methods.begin()));
    }
    std::ranges::sort(places);
    if (places.size() > 1) result.bars.push_back(std::move(places));
  }
  std::ranges::sort(result.bars);
  return result;
}

/// Whole ranks from the best to the worst.
AxisRange ranks_of(const CriticalDifferenceChart& chart, const std::vector<std::size_t>& methods) {
  const double low = std::floor(std::min(1.0, chart.methods[methods.front()].mean_rank));
  const double high = std::ceil(chart.methods[methods.back()].mean_rank);
  return {Scale::linear, low, std::max(high, low + 1)};
}

class Diagram {
 public:
  Diagram(Frame& frame, const CriticalDifferenceChart& chart, const Ordered& order)
      : frame_(frame), chart_(chart), order_(order), x_(ranks_of(chart, order.methods)) {}

  void draw() {
    draw_axis();
    for (std::size_t i = 0; i < order_.bars.size(); ++i) draw_bar(i);
    for (std::size_t i = 0; i < order_.methods.size(); ++i) draw_method(i);
  }

 private:
  double rank_at(std::size_t place) const { return at(method(place).mean_rank); }
  double at(double rank) const { return frame_.box().left + frame_.box().width * x_.share(rank); }
  const RankedMethod& method(std::size_t place) const { return chart_.methods[order_.methods[place]]; }

  void draw_axis() {
    const Box& box = frame_.box();
    frame_.svg().line({box.left, box.top}, {box.right(), box.top}, "nfp-axis");
    for (const Tick& tick : ticks_of(x_, std::min(10, static_cast<int>(x_.high - x_.low)))) {
      frame_.svg().line({at(tick.value), box.top - 5}, {at(tick.value), box.top}, "nfp-axis");
      frame_.svg().text({at(tick.value), box.top - 9}, tick.text, "nfp-s", Anchor::middle);
    }
    frame_.svg().text({box.left - 12, box.top - 9}, "mean rank", "nfp-s", Anchor::end);
  }

  void draw_bar(std::size_t index) {
    const std::vector<std::size_t>& places = order_.bars[index];
    const double y = frame_.box().top + kBar * (static_cast<double>(index) + 1.2);
    frame_.svg().line({rank_at(places.front()) - 3, y}, {rank_at(places.back()) + 3, y}, "nfp-l nfp-thick nfp-c0");
    // A clique need not be of neighbours: where one between is not of it, dots show who is.
    if (places.back() - places.front() + 1 == places.size()) return;
    for (const std::size_t place : places) frame_.svg().marker({rank_at(place), y}, 4.5, 0, "nfp-f nfp-c1");
  }

  void draw_method(std::size_t place) {
    const Box& box = frame_.box();
    const std::size_t count = order_.methods.size(), left_count = (count + 1) / 2;
    const bool left = place < left_count;
    const std::size_t row = left ? place : count - 1 - place;
    const double bars = kBar * static_cast<double>(order_.bars.size() + 1);
    const double x = rank_at(place), y = box.top + bars + kRow * (static_cast<double>(row) + 0.7);
    const double end = left ? box.left - 8 : box.right() + 8;
    frame_.svg().polyline({{x, box.top}, {x, y}, {end, y}}, "nfp-axis");
    frame_.svg().marker({x, box.top}, 3, 0, "nfp-f nfp-c7");
    const std::string rank = fmt::format("{:.2f}", method(place).mean_rank);
    const std::string name = fitted(method(place).label, kLabelSize, kSide - 62);
    frame_.svg().text({left ? end - 5 : end + 5, y + 4}, left ? name + "  " + rank : rank + "  " + name, "nfp-t",
                      left ? Anchor::end : Anchor::start, name == method(place).label ? "" : method(place).label);
  }

  Frame& frame_;
  const CriticalDifferenceChart& chart_;
  const Ordered& order_;
  AxisRange x_;
};

std::string csv_of(const CriticalDifferenceChart& chart, const Ordered& order) {
  std::string csv = "method,mean_rank,cliques\n";
  for (std::size_t place = 0; place < order.methods.size(); ++place) {
    std::vector<std::string> cliques;
    for (std::size_t i = 0; i < order.bars.size(); ++i) {
      if (std::ranges::find(order.bars[i], place) != order.bars[i].end()) cliques.push_back(std::to_string(i + 1));
    }
    const RankedMethod& method = chart.methods[order.methods[place]];
    csv += fmt::format("{},{},{}\n", csv_field(method.label), number_text(method.mean_rank), join(cliques, ";"));
  }
  return csv;
}

std::vector<std::string> sentences_of(const CriticalDifferenceChart& chart, const Ordered& order) {
  std::vector<std::string> ranks, sentences;
  const auto label = [&](std::size_t place) { return chart.methods[order.methods[place]].label; };
  for (std::size_t place = 0; place < order.methods.size(); ++place)
    ranks.push_back(fmt::format("{} {:.2f}", label(place), chart.methods[order.methods[place]].mean_rank));
  sentences.push_back("Mean ranks, best first: " + join(ranks, ", ") + ".");
  for (const std::vector<std::size_t>& bar : order.bars) {
    std::vector<std::string> members;
    for (const std::size_t place : bar) members.push_back(label(place));
    sentences.push_back("Not told apart: " + join(members, ", ") + ".");
  }
  return sentences;
}

}  // namespace

Figure critical_difference_chart(const CriticalDifferenceChart& chart) {
  const Ordered order = ordered(chart);
  if (order.methods.empty()) return empty_figure(chart.caption, "no methods", csv_of(chart, order));
  std::vector<std::string> notes;
  note_left_out(notes, chart.methods.size() - order.methods.size());
  if (!order.bars.empty()) notes.emplace_back("bars join methods that are not told apart");
  const double rows = static_cast<double>((order.methods.size() + 1) / 2);
  const double height = kBar * static_cast<double>(order.bars.size() + 1) + kRow * rows + 6;
  Frame frame(chart.caption, height, {.left = kSide, .right = kSide, .above = 24, .below = 14}, {}, notes);
  Diagram(frame, chart, order).draw();
  return frame.finish(description_of(chart.caption, sentences_of(chart, order)), csv_of(chart, order));
}

}  // namespace nearfar::plot
