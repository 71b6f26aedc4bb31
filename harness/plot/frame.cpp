#include "plot/frame.h"

#include "base/text.h"
#include "plot/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar::plot {
namespace {

constexpr double kTitleHeight = 34, kLegendRow = 19, kNoteRow = 16, kLegendText = 22, kLegendGap = 18;
constexpr double kEdge = 12;  ///< of the picture
constexpr double kTextSize = 12, kSoftSize = 11, kTitleSize = 15;

/// Where each entry of a legend goes, in rows from left to right.
struct LegendPlace {
  double x = 0;
  std::size_t row = 0;
  std::string text = {};
};
std::vector<LegendPlace> legend_places(const std::vector<LegendEntry>& legend) {
  std::vector<LegendPlace> places;
  double x = kEdge;
  std::size_t row = 0;
  for (const LegendEntry& entry : legend) {
    std::string text = fitted(entry.label, kTextSize, kWidth - 2 * kEdge - kLegendText);
    const double width = kLegendText + text_width(text, kTextSize);
    if (x > kEdge && x + width > kWidth - kEdge) {
      x = kEdge;
      ++row;
    }
    places.push_back({x, row, std::move(text)});
    x += width + kLegendGap;
  }
  return places;
}

/// Broken between words where a line is full.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string& word : split(text, ' ')) {
    const bool fits = !lines.empty() && text_width(lines.back() + " " + word, kSoftSize) <= kWidth - 2 * kEdge;
    if (fits)
      lines.back() += " " + word;
    else
      lines.push_back(word);
  }
  return lines;
}

std::vector<std::string> note_lines(const Caption& caption, const std::vector<std::string>& notes) {
  std::vector<std::string> lines;
  for (const auto* list : {&caption.notes, &notes}) {
    for (const std::string& note : *list) {
      for (std::string& line : lines_of(note)) lines.push_back(fitted(line, kSoftSize, kWidth - 2 * kEdge));
    }
  }
  return lines;
}

}  // namespace

Frame::Frame(const Caption& caption, double height, const Margins& margins, const std::vector<LegendEntry>& legend,
             const std::vector<std::string>& notes)
    : caption_(caption) {
  const std::vector<LegendPlace> places = legend_places(legend);
  const double legend_height = places.empty() ? 0 : kLegendRow * static_cast<double>(places.back().row + 1) + 4;
  box_ = {margins.left, kTitleHeight + legend_height + margins.above, kWidth - margins.left - margins.right, height};
  const std::vector<std::string> lines = note_lines(caption_, notes);
  const double notes_top = box_.bottom() + margins.below;
  height_ = notes_top + kNoteRow * static_cast<double>(lines.size()) + 6;
  write_title();
  write_legend(legend);
  write_notes(lines, notes_top);
}

void Frame::write_title() {
  svg_.rect({0, 0}, kWidth, height_, "nfp-ground");
  const std::string shown = fitted(caption_.title, kTitleSize, (kWidth - 2 * kEdge) * 0.95);  // bold is a little wider
  svg_.text({kEdge, 23}, shown, "nfp-h", Anchor::start, shown == caption_.title ? "" : caption_.title);
}

void Frame::write_legend(const std::vector<LegendEntry>& legend) {
  const std::vector<LegendPlace> places = legend_places(legend);
  for (std::size_t i = 0; i < legend.size(); ++i) {
    const LegendEntry& entry = legend[i];
    const double x = places[i].x, y = kTitleHeight + kLegendRow * static_cast<double>(places[i].row) + 9;
    switch (entry.mark) {
      case LegendEntry::Mark::line:
        svg_.line({x, y}, {x + 16, y}, "nfp-l " + entry.classes);
        break;
      case LegendEntry::Mark::area:
        svg_.rect({x + 2, y - 6}, 12, 12, "nfp-a nfp-l " + entry.classes);
        break;
      case LegendEntry::Mark::marker:
        svg_.marker({x + 8, y}, 4.5, entry.shape, "nfp-f " + entry.classes);
        break;
    }
    svg_.text({x + kLegendText, y + 4}, places[i].text, "nfp-t", Anchor::start,
              places[i].text == entry.label ? "" : entry.label);
  }
}

void Frame::write_notes(const std::vector<std::string>& notes, double top) {
  for (std::size_t i = 0; i < notes.size(); ++i)
    svg_.text({kEdge, top + kNoteRow * static_cast<double>(i) + 8}, notes[i], "nfp-s");
}

void Frame::x_axis(const AxisRange& range, const std::string& label) {
  const std::vector<Tick> ticks = ticks_of(range, std::max(2, static_cast<int>(box_.width / 80)));
  for (const Tick& tick : ticks) {
    const double x = box_.left + box_.width * range.share(tick.value);
    svg_.line({x, box_.top}, {x, box_.bottom()}, "nfp-grid");
    if (!tick.text.empty()) svg_.text({x, box_.bottom() + 16}, tick.text, "nfp-s", Anchor::middle);
  }
  svg_.line({box_.left, box_.bottom()}, {box_.right(), box_.bottom()}, "nfp-axis");
  svg_.text({box_.left + box_.width / 2, box_.bottom() + 34}, fitted(label, kTextSize, box_.width), "nfp-t",
            Anchor::middle);
}

void Frame::y_axis(const AxisRange& range, const std::string& label) {
  const std::vector<Tick> ticks = ticks_of(range, std::max(2, static_cast<int>(box_.height / 60)));
  for (const Tick& tick : ticks) {
    const double y = box_.bottom() - box_.height * range.share(tick.value);
    svg_.line({box_.left, y}, {box_.right(), y}, "nfp-grid");
    if (!tick.text.empty()) svg_.text({box_.left - 7, y + 4}, tick.text, "nfp-s", Anchor::end);
  }
  svg_.line({box_.left, box_.top}, {box_.left, box_.bottom()}, "nfp-axis");
  svg_.text_upwards({16, box_.top + box_.height / 2}, fitted(label, kTextSize, box_.height), "nfp-t");
}

Place Frame::place(const AxisRange& x, const AxisRange& y, double at_x, double at_y) const {
  // Far outside is as good as farther: numbers stay short.
  const auto near = [](double share) { return std::clamp(share, -1.0, 2.0); };
  return {box_.left + box_.width * near(x.share(at_x)), box_.bottom() - box_.height * near(y.share(at_y))};
}

void Frame::diagonal(const AxisRange& x, const AxisRange& y) {
  const double low = std::max(x.low, y.low), high = std::min(x.high, y.high);
  if (!(low < high)) return;
  constexpr int kSteps = 48;  // a curve where one of the scales is logarithmic
  std::vector<Place> places;
  for (int i = 0; i <= kSteps; ++i) {
    const double part = static_cast<double>(i) / kSteps;
    const bool logarithmic = x.scale == Scale::logarithmic && low > 0;
    const double value = logarithmic ? low * std::pow(high / low, part) : low + (high - low) * part;
    places.push_back(place(x, y, value, value));
  }
  if (x.scale == y.scale) places = {places.front(), places.back()};
  svg_.polyline(places, "nfp-ref");
}

void Frame::begin_clip() {
  // A nested svg cuts at its edges without an id, which could be another figure's on the same page.
  const std::string at =
      fmt::format("x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\"", coordinate(box_.left),
                  coordinate(box_.top), coordinate(box_.width), coordinate(box_.height));
  svg_.open("svg", "", at);
}

void Frame::end_clip() { svg_.close("svg"); }

Figure Frame::finish(const std::string& description, std::string csv) {
  Svg head;
  head.open("svg", "nfp",
            fmt::format("xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {} {}\"", coordinate(kWidth),
                        coordinate(height_)));
  head.element("title", caption_.title);
  head.element("desc", description);
  return {.id = caption_.id,
          .title = caption_.title,
          .description = description,
          .svg = head.content() + "<style>\n" + style_sheet() + "</style>\n" + svg_.content() + "</svg>\n",
          .csv = std::move(csv)};
}

Figure empty_figure(const Caption& caption, const std::string& why, const std::string& csv_header) {
  Frame frame(caption, 60, {.left = 12, .right = 12, .above = 0, .below = 12}, {}, {});
  const Box& box = frame.box();
  frame.svg().rect({box.left, box.top}, box.width, box.height, "nfp-axis");
  frame.svg().text({kWidth / 2, box.top + 35}, "Nothing to draw: " + why, "nfp-s", Anchor::middle);
  return frame.finish("Nothing to draw: " + why + ".", csv_header);
}

void note_left_out(std::vector<std::string>& notes, std::size_t count) {
  if (count == 0) return;
  notes.push_back(count == 1 ? "1 value that is not finite is left out"
                             : fmt::format("{} values that are not finite are left out", count));
}

std::string description_of(const Caption& caption, const std::vector<std::string>& sentences) {
  if (!caption.description.empty()) return caption.description;
  constexpr std::size_t kMost = 10;
  std::string text = join(std::span(sentences).first(std::min(kMost, sentences.size())), " ");
  if (sentences.size() > kMost) text += fmt::format(" And {} more.", sentences.size() - kMost);
  return text;
}

}  // namespace nearfar::plot
