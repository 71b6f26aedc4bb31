#pragma once
/// Colours and classes of all figures. Private to plot/.
///
/// Each SVG carries the same style sheet. Its variables take a page's where it has them (--ground, --ink, --soft,
/// --line as in reports/leaderboard.css, --series-0 to --series-7), else values for light or dark. Readers that know no
/// variables see the light ones. Series: after Okabe and Ito, "Color Universal Design", with lighter ones on dark
/// ground.
///
/// Classes: nfp-cN a colour; nfp-l a line, nfp-a an area, nfp-f a filled mark of that colour; nfp-dN dashes; nfp-t
/// text, nfp-s soft small text, nfp-h the title, nfp-g ground-coloured text, nfp-halo an edge of the ground's colour
/// around it; nfp-grid, nfp-axis, nfp-ref lines without colour.
#include <cstddef>
#include <string>

namespace nearfar::plot {

inline constexpr std::size_t kColours = 8;

const std::string& style_sheet();

/// "nfp-c2", with dashes from the ninth on: "nfp-c0 nfp-d1".
std::string series_class(std::size_t index);

}  // namespace nearfar::plot
