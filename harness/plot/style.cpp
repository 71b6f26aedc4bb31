#include "plot/style.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace nearfar::plot {
namespace {

struct Colour {
  std::string_view name, page, light, dark;  ///< `page`: the variable of a page
};
constexpr std::array<Colour, 4 + kColours> kPalette = {{{"ground", "ground", "#ffffff", "#12161c"},
                                                        {"ink", "ink", "#1b2430", "#e4e9f0"},
                                                        {"soft", "soft", "#5b6675", "#98a4b3"},
                                                        {"line", "line", "#dde3ea", "#2b3440"},
                                                        {"0", "series-0", "#0072b2", "#5db0f0"},
                                                        {"1", "series-1", "#d55e00", "#ff8f52"},
                                                        {"2", "series-2", "#00875f", "#35c79a"},
                                                        {"3", "series-3", "#b5568f", "#e59cc8"},
                                                        {"4", "series-4", "#b97a00", "#f2bd4b"},
                                                        {"5", "series-5", "#3d9fd6", "#a5dcfa"},
                                                        {"6", "series-6", "#6a51a3", "#b9a5f0"},
                                                        {"7", "series-7", "#4d5662", "#b4bdc9"}}};

std::string variables(bool dark) {
  std::string text = ".nfp{";
  for (const Colour& colour : kPalette)
    text += fmt::format("--nfp-{}:var(--{},{});", colour.name, colour.page, dark ? colour.dark : colour.light);
  return text + "}";
}

/// Twice: readers without variables keep the first.
std::string colour_rule(std::string_view classes, std::string_view property, const Colour& colour) {
  return fmt::format("{}{{{}:{};{}:var(--nfp-{})}}\n", classes, property, colour.light, property, colour.name);
}

std::string make_style_sheet() {
  std::string text = variables(false) + "\n@media (prefers-color-scheme:dark){" + variables(true) + "}\n";
  text +=
      ".nfp text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif;font-size:12px}\n"
      ".nfp .nfp-s{font-size:11px}\n.nfp .nfp-h{font-size:15px;font-weight:600}\n"
      ".nfp-l{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}\n"
      ".nfp-a{fill:currentColor;fill-opacity:.17;stroke:none}\n.nfp-f{fill:currentColor;stroke:none}\n"
      ".nfp-halo{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}\n.nfp-grid,.nfp-axis,.nfp-ref{fill:none;"
      "stroke-width:1}\n.nfp-ref{stroke-dasharray:4 4}\n"
      ".nfp-d1{stroke-dasharray:7 3}\n.nfp-d2{stroke-dasharray:2 3}\n.nfp-d3{stroke-dasharray:9 3 2 3}\n"
      ".nfp-thick{stroke-width:5;stroke-linecap:round}\n.nfp-weak{opacity:.55}\n";
  const Colour &ground = kPalette[0], &ink = kPalette[1], &soft = kPalette[2], &line = kPalette[3];
  text += colour_rule(".nfp-ground,.nfp-g", "fill", ground) + colour_rule(".nfp-halo", "stroke", ground) +
          colour_rule(".nfp-t,.nfp-h", "fill", ink) + colour_rule(".nfp-s", "fill", soft) +
          colour_rule(".nfp-grid", "stroke", line) + colour_rule(".nfp-axis,.nfp-ref", "stroke", soft);
  for (std::size_t i = 0; i < kColours; ++i) text += colour_rule(fmt::format(".nfp-c{}", i), "color", kPalette[4 + i]);
  return text;
}

}  // namespace

const std::string& style_sheet() {
  static const std::string sheet = make_style_sheet();
  return sheet;
}

std::string series_class(std::size_t index) {
  const std::size_t dashes = index / kColours % 4;
  return fmt::format("nfp-c{}{}", index % kColours, dashes == 0 ? "" : fmt::format(" nfp-d{}", dashes));
}

}  // namespace nearfar::plot
