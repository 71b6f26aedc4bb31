#pragma once
/// Writes SVG text. Private to plot/. Numbers have at most two decimals and no "-0": equal input gives equal bytes.
#include <string>
#include <string_view>
#include <vector>

namespace nearfar::plot {

struct Place {
  double x = 0, y = 0;
};

/// Text as XML has it: & < > " ' as entities; control characters and what is not UTF-8 or not allowed in XML as U+FFFD.
std::string escaped(std::string_view text);
/// "12", "12.5", "0.25".
std::string coordinate(double value);

/// An estimate, as no font is measured here: letters are between a quarter and a whole of the size. In viewBox units.
double text_width(std::string_view text, double size);
/// The beginning of `text` that fits, with "…" where something is cut.
std::string fitted(std::string_view text, double size, double width);

enum class Anchor { start, middle, end };

/// Elements one after the other. `classes` are of style.h and not escaped; all other text is.
class Svg {
 public:
  /// `extra`: further attributes, written as they are.
  void open(std::string_view tag, std::string_view classes = "", std::string_view extra = "");
  void close(std::string_view tag);
  void line(Place from, Place to, std::string_view classes);
  /// `title`: a tooltip; "" = none. Likewise below.
  void rect(Place corner, double width, double height, std::string_view classes, std::string_view title = "",
            std::string_view extra = "");
  void polyline(const std::vector<Place>& places, std::string_view classes);
  void polygon(const std::vector<Place>& places, std::string_view classes);
  /// A circle, square, triangle or diamond about `centre`: shape modulo four.
  void marker(Place centre, double radius, std::size_t shape, std::string_view classes, std::string_view title = "");
  void text(Place at, std::string_view text, std::string_view classes, Anchor anchor = Anchor::start,
            std::string_view title = "");
  /// Read from below.
  void text_upwards(Place at, std::string_view text, std::string_view classes);
  void element(std::string_view tag, std::string_view content);  ///< <tag>content</tag>

  const std::string& content() const { return out_; }

 private:
  void end(std::string_view tag, std::string_view title);
  void points(const std::vector<Place>& places);
  std::string out_ = {};
};

}  // namespace nearfar::plot
