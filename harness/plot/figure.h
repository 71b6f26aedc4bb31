#pragma once
/// What a chart is: a picture, its text alternative, and the numbers behind it. Plain values, safe from any thread.
#include <string>

namespace nearfar::plot {

/// The SVG stands alone in a file and inline in an HTML page. It has role="img", <title>, <desc> and a viewBox and no
/// width, so it is as wide as its place; no script, no id, no reference to anything outside. Colours are classes whose
/// values are CSS variables (style.h): a page that has them decides, else the reader's light or dark setting does.
struct Figure {
  std::string id = {};           ///< of the caller's, for file names and anchors
  std::string title = {};        ///< as in the SVG
  std::string description = {};  ///< the text alternative: what is seen, with the numbers that matter
  std::string svg = {};          ///< one element, no XML declaration
  std::string csv = {};          ///< a header line and what is drawn; RFC 4180
};

}  // namespace nearfar::plot
