/// Escapes, numbers, axes, thinning and labels by themselves.
#include "plot/axis.h"
#include "plot/labels.h"
#include "plot/svg.h"
#include "plot/thin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace nearfar::plot {
namespace {

std::vector<std::string> texts(const std::vector<Tick>& ticks) {
  std::vector<std::string> found;
  for (const Tick& tick : ticks) {
    if (!tick.text.empty()) found.push_back(tick.text);
  }
  return found;
}
using Texts = std::vector<std::string>;

TEST(Escaped, IsTextOfXml) {
  EXPECT_EQ(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escaped("µ ± 日本 🙂"), "µ ± 日本 🙂");
  EXPECT_EQ(escaped("a\nb\tc"), "a b c");
}

TEST(Escaped, ReplacesWhatXmlDoesNotAllow) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(escaped(std::string("a\0b", 3)), "a" + mark + "b");
  EXPECT_EQ(escaped("\x1b[31m"), mark + "[31m");
  EXPECT_EQ(escaped("\xff"), mark);
  EXPECT_EQ(escaped("\xc3"), mark) << "cut";
  EXPECT_EQ(escaped("\xc0\xaf"), mark + mark) << "longer than need be";
  EXPECT_EQ(escaped("\xed\xa0\x80"), mark + mark + mark) << "a surrogate";
  EXPECT_EQ(escaped("\xef\xbf\xbe"), mark + mark + mark) << "U+FFFE";
}

TEST(Coordinate, HasTwoDecimalsAtMost) {
  EXPECT_EQ(coordinate(12), "12");
  EXPECT_EQ(coordinate(0.5), "0.5");
  EXPECT_EQ(coordinate(1.0 / 3), "0.33");
  EXPECT_EQ(coordinate(-0.001), "0");
  EXPECT_EQ(coordinate(100), "100");
}

TEST(Fitted, CutsAtACharacter) {
  EXPECT_EQ(fitted("short", 12, 100), "short");
  const std::string cut = fitted("ééééééééééééééééééé", 10, 50);
  EXPECT_TRUE(cut.ends_with("é…")) << cut;
  EXPECT_LE(text_width(cut, 10), 50);
  EXPECT_EQ(fitted("anything", 10, 0), "…");
}

TEST(Ticks, AreNice) {
  EXPECT_EQ(texts(ticks_of({Scale::linear, 0, 1}, 5)), (Texts{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(texts(ticks_of({Scale::linear, -0.7, 12.3}, 5)), (Texts{"0", "5", "10"}));
  EXPECT_EQ(texts(ticks_of({Scale::linear, -1, 1}, 4)), (Texts{"-1.0", "-0.5", "0.0", "0.5", "1.0"}));
  EXPECT_EQ(texts(ticks_of({Scale::linear, 0, 4e8}, 4)), (Texts{"0", "1e+08", "2e+08", "3e+08", "4e+08"}));
}

TEST(Ticks, OfALogarithmicScaleArePowersOfTen) {
  EXPECT_EQ(texts(ticks_of({Scale::logarithmic, 1e-4, 1}, 5)), (Texts{"0.0001", "0.001", "0.01", "0.1", "1"}));
  EXPECT_EQ(texts(ticks_of({Scale::logarithmic, 0.9, 12}, 5)), (Texts{"1", "2", "5", "10"}));
}

TEST(Range, HoldsWhateverTheDataAre) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::vector<double>> cases{{}, {kNan}, {5}, {0}, {-3, -3}, {0, 1e299}, {-1, 0}, {1e-12, 1}};
  for (const Scale scale : {Scale::linear, Scale::logarithmic}) {
    for (const std::vector<double>& values : cases) {
      const AxisRange range = range_of({.scale = scale}, values);
      EXPECT_LT(range.low, range.high);
      EXPECT_TRUE(std::isfinite(range.share(range.low)) && std::isfinite(range.share(range.high)));
      EXPECT_LT(ticks_of(range, 6).size(), 100U);
    }
  }
  const AxisRange wrong = range_of({.scale = Scale::logarithmic, .low = -1.0, .high = 1.0}, {0.01, 0.5});
  EXPECT_GT(wrong.low, 0);
}

TEST(ShortNumber, HasNoMoreDigitsThanHelp) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(0.5), "0.5");
  EXPECT_EQ(short_number(93.2149), "93.21");
  EXPECT_EQ(short_number(123456), "123456");
  EXPECT_EQ(short_number(0.00001), "1e-05");
}

/// How far `place` is from the line through the points kept.
double distance_from_line(Place place, const std::vector<Place>& line) {
  double nearest = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    const double dx = line[i + 1].x - line[i].x, dy = line[i + 1].y - line[i].y;
    const double length = dx * dx + dy * dy;
    const double along =
        length > 0 ? std::clamp(((place.x - line[i].x) * dx + (place.y - line[i].y) * dy) / length, 0.0, 1.0) : 0;
    nearest = std::min(nearest, std::hypot(place.x - line[i].x - along * dx, place.y - line[i].y - along * dy));
  }
  return nearest;
}

TEST(VisiblePoints, KeepAHundredThousandToHalfAUnit) {
  // A staircase as a ROC curve is one, with uneven steps of a fixed sequence.
  std::vector<Place> places;
  std::uint32_t state = 12345;
  double x = 0, y = 400;
  for (int i = 0; i < 100000; ++i) {
    state = state * 1664525U + 1013904223U;
    const double fpr = x / 640;
    if (static_cast<double>(state >> 8U) / 16777216.0 < 0.9 - 0.9 * std::sqrt(fpr))
      y = std::max(0.0, y - 0.02 * (1 - fpr));
    else
      x = std::min(640.0, x + 0.012);
    places.push_back({x, y});
  }
  const std::vector<std::size_t> kept = visible_points(places);
  EXPECT_LT(kept.size(), 2000U);
  ASSERT_GT(kept.size(), 2U);
  EXPECT_EQ(kept.front(), 0U);
  EXPECT_EQ(kept.back(), places.size() - 1);
  std::vector<Place> line;
  for (const std::size_t i : kept) line.push_back(places[i]);
  double farthest = 0;
  for (std::size_t i = 0; i < places.size(); i += 7) farthest = std::max(farthest, distance_from_line(places[i], line));
  EXPECT_LE(farthest, 0.5);
}

TEST(VisiblePoints, KeepASpikeOfOnePoint) {
  std::vector<Place> places;
  for (int i = 0; i < 1000; ++i) places.push_back({i * 0.5, i == 501 ? 90.0 : 10.0});
  EXPECT_EQ(visible_points(places), (std::vector<std::size_t>{0, 500, 501, 502, 999}));
}

TEST(VisiblePoints, AreAllOfAFew) {
  EXPECT_TRUE(visible_points({}).empty());
  EXPECT_EQ(visible_points({{1, 1}}).size(), 1U);
  EXPECT_EQ(visible_points({{1, 1}, {1, 1}, {1, 1}}).size(), 3U);
}

TEST(PlaceLabels, KeepsThemApart) {
  const Box box{0, 0, 400, 100};
  // Two points on nearly the same place: the second label goes to another side. In a corner: inside all the same.
  const auto places = place_labels(box, {{200, 50}, {202, 51}, {398, 2}}, {"first", "second", "corner"});
  ASSERT_TRUE(places[0] && places[1] && places[2]);
  EXPECT_EQ(places[0]->anchor, Anchor::start);
  EXPECT_NE(places[1]->anchor, Anchor::start);
  EXPECT_EQ(places[2]->anchor, Anchor::end);
}

TEST(PlaceLabels, LeavesOutWhatHasNoRoom) {
  const auto places = place_labels({0, 0, 30, 20}, {{15, 10}}, {"a label longer than the box"});
  EXPECT_FALSE(places[0].has_value());
}

}  // namespace
}  // namespace nearfar::plot
