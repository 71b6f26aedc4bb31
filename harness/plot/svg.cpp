#include "plot/svg.h"

#include "base/text.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

namespace nearfar::plot {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Bytes of the character that `text` begins with, 0 where it begins with none that XML 1.0 allows (section 2.2).
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  std::uint32_t code = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
    code = code << 6U | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  const bool allowed = code >= kSmallest[length] && code <= 0x10FFFF && !surrogate && code != 0xFFFE && code != 0xFFFF;
  return allowed ? length : 0;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 1) {
      switch (text.front()) {
        case '&':
          out += "&amp;";
          break;
        case '<':
          out += "&lt;";
          break;
        case '>':
          out += "&gt;";
          break;
        case '"':
          out += "&quot;";
          break;
        case '\'':
          out += "&#39;";
          break;
        case '\t':
        case '\n':
        case '\r':
          out += ' ';  // a line's end in an attribute would be a blank anyway
          break;
        default:
          out += text.front();
      }
    } else {
      out += length == 0 ? kReplacement : text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string coordinate(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

double text_width(std::string_view text, double size) {
  double width = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U) continue;  // the rest of a character
    constexpr std::string_view kNarrow = "iljtfrI.,:;|!'()[]{} /-", kWide = "mwMW@%";
    width += kNarrow.find(c) != std::string_view::npos ? 0.36 : kWide.find(c) != std::string_view::npos ? 0.9 : 0.61;
  }
  return width * size;
}

std::string fitted(std::string_view text, double size, double width) {
  if (text_width(text, size) <= width) return std::string(text);
  std::size_t columns = text.size();
  while (columns > 0 && text_width(clipped(text, columns), size) + 0.8 * size > width) --columns;
  return std::string(clipped(text, columns)) + "…";
}

void Svg::open(std::string_view tag, std::string_view classes, std::string_view extra) {
  out_ += fmt::format("<{}", tag);
  if (!classes.empty()) out_ += fmt::format(" class=\"{}\"", classes);
  if (!extra.empty()) out_ += fmt::format(" {}", extra);
  out_ += ">";
}

void Svg::close(std::string_view tag) { out_ += fmt::format("</{}>\n", tag); }

void Svg::end(std::string_view tag, std::string_view title) {
  if (title.empty())
    out_ += "/>\n";
  else
    out_ += fmt::format("><title>{}</title></{}>\n", escaped(title), tag);
}

void Svg::element(std::string_view tag, std::string_view content) {
  out_ += fmt::format("<{}>{}</{}>\n", tag, escaped(content), tag);
}

void Svg::line(Place from, Place to, std::string_view classes) {
  out_ += fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", classes, coordinate(from.x),
                      coordinate(from.y), coordinate(to.x), coordinate(to.y));
}

void Svg::rect(Place corner, double width, double height, std::string_view classes, std::string_view title,
               std::string_view extra) {
  out_ +=
      fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}{}", classes, coordinate(corner.x),
                  coordinate(corner.y), coordinate(width), coordinate(height), extra.empty() ? "" : " ", extra);
  end("rect", title);
}

void Svg::points(const std::vector<Place>& places) {
  out_ += " points=\"";
  for (std::size_t i = 0; i < places.size(); ++i)
    out_ += fmt::format("{}{},{}", i == 0 ? "" : " ", coordinate(places[i].x), coordinate(places[i].y));
  out_ += "\"";
}

void Svg::polyline(const std::vector<Place>& places, std::string_view classes) {
  out_ += fmt::format("<polyline class=\"{}\"", classes);
  points(places);
  end("polyline", "");
}

void Svg::polygon(const std::vector<Place>& places, std::string_view classes) {
  out_ += fmt::format("<polygon class=\"{}\"", classes);
  points(places);
  end("polygon", "");
}

void Svg::marker(Place at, double radius, std::size_t shape, std::string_view classes, std::string_view title) {
  const double r = radius;
  if (shape % 4 == 0) {
    out_ += fmt::format("<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"{}\"", classes, coordinate(at.x),
                        coordinate(at.y), coordinate(r));
    end("circle", title);
    return;
  }
  out_ += fmt::format("<polygon class=\"{}\"", classes);
  const double s = 0.9 * r;
  if (shape % 4 == 1)
    points({{at.x - s, at.y - s}, {at.x + s, at.y - s}, {at.x + s, at.y + s}, {at.x - s, at.y + s}});
  else if (shape % 4 == 2)
    points({{at.x, at.y - 1.2 * r}, {at.x + 1.15 * r, at.y + 0.9 * r}, {at.x - 1.15 * r, at.y + 0.9 * r}});
  else
    points({{at.x, at.y - 1.3 * r}, {at.x + 1.3 * r, at.y}, {at.x, at.y + 1.3 * r}, {at.x - 1.3 * r, at.y}});
  end("polygon", title);
}

void Svg::text(Place at, std::string_view text, std::string_view classes, Anchor anchor, std::string_view title) {
  constexpr std::string_view kAnchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  out_ += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\"{}>", classes, coordinate(at.x), coordinate(at.y),
                      kAnchors[static_cast<std::size_t>(anchor)]);
  if (!title.empty()) out_ += fmt::format("<title>{}</title>", escaped(title));
  out_ += escaped(text) + "</text>\n";
}

void Svg::text_upwards(Place at, std::string_view text, std::string_view classes) {
  out_ +=
      fmt::format("<text class=\"{}\" text-anchor=\"middle\" transform=\"translate({} {}) rotate(-90)\">{}</text>\n",
                  classes, coordinate(at.x), coordinate(at.y), escaped(text));
}

}  // namespace nearfar::plot
