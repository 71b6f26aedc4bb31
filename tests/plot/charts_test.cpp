/// Each chart against a file that was looked at: tests/plot/golden.
#include "plot/charts.h"

#include "plot/sample_charts.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace nearfar::plot {
namespace {

class Golden : public ::testing::TestWithParam<Figure> {};
TEST_P(Golden, EqualsTheFileThatWasLookedAt) {
  nearfar::testing::expect_golden(GetParam().svg, "tests/plot/golden/" + GetParam().id + ".svg");
  nearfar::testing::expect_golden(GetParam().csv, "tests/plot/golden/" + GetParam().id + ".csv");
}
INSTANTIATE_TEST_SUITE_P(Charts, Golden, ::testing::ValuesIn(testing::sample_figures()),
                         [](const auto& test) { return test.param.id; });

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Charts, NamesAreTextWhateverTheyHold) {
  const std::string hostile = "</title><script>alert(1)</script>\"'&\x01\xff]]>";
  for (const Figure& figure : testing::figures_named(hostile)) {
    EXPECT_EQ(figure.svg.find("<script"), std::string::npos) << figure.id;
    EXPECT_EQ(figure.svg.find('\x01'), std::string::npos) << figure.id;
    EXPECT_EQ(figure.svg.find('\xff'), std::string::npos) << figure.id;
    EXPECT_NE(figure.svg.find("&lt;script&gt;"), std::string::npos) << figure.id;
  }
}

TEST(Charts, StandAlone) {
  for (const Figure& figure : testing::sample_figures()) {
    EXPECT_EQ(count(figure.svg, "http"), 1U) << figure.id << ": the name space and nothing else";
    EXPECT_EQ(figure.svg.find("url("), std::string::npos);
    EXPECT_EQ(figure.svg.find(" id="), std::string::npos) << "two figures on one page must not share an id";
    EXPECT_EQ(figure.svg.find("nan"), std::string::npos) << figure.id;
    EXPECT_TRUE(
        figure.svg.starts_with("<svg class=\"nfp\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox="));
    EXPECT_NE(figure.svg.find("<desc>"), std::string::npos);
    EXPECT_FALSE(figure.description.empty());
  }
}

TEST(Charts, SayThatThereIsNothing) {
  const Figure empty[] = {line_chart({}),    histogram_chart({}), scatter_chart({}),
                          heatmap_chart({}), interval_chart({}),  critical_difference_chart({})};
  for (const Figure& figure : empty) {
    EXPECT_TRUE(figure.description.starts_with("Nothing to draw: no ")) << figure.description;
    EXPECT_NE(figure.svg.find("Nothing to draw: no "), std::string::npos);
    EXPECT_EQ(count(figure.csv, "\n"), 1U) << figure.csv;
  }
}

TEST(Charts, LeaveOutWhatIsNotFiniteAndSayIt) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
  const Figure line = line_chart({.series = {{"a", {{0, 1}, {1, kNan}, {kInf, 2}, {3, 4}}}}});
  EXPECT_NE(line.svg.find("2 values that are not finite are left out"), std::string::npos);
  EXPECT_EQ(line.csv, "series,x,y,low,high\na,0,1,,\na,3,4,,\n");
  const Figure bars = histogram_chart({.distributions = {{"a", {1, 2, kNan}}}, .bins = 1});
  EXPECT_NE(bars.svg.find("1 value that is not finite is left out"), std::string::npos);
  EXPECT_EQ(heatmap_chart({.rows = {"r"}, .columns = {"c"}, .values = {{kNan}}}).svg.find("nan"), std::string::npos);
}

TEST(LineChart, DescribesEachSeries) {
  const Figure figure = line_chart({.series = {{"loss", {{1, 2}, {2, 3}, {3, 0.5}}}}});
  EXPECT_EQ(figure.description, "loss: from 2 at 1 to 0.5 at 3, highest 3 at 2.");
}

TEST(LineChart, PutsPlacesOnALogarithmicAxisByTheirExponent) {
  // 0.001 to 1 over the 632 units from 64 to 696: 0.1 is at two thirds; what is not positive lies beyond the left edge.
  const Figure figure = line_chart({.x = {"", Scale::logarithmic, 1e-3, 1.0},
                                    .y = {"", Scale::linear, 0.0, 1.0},
                                    .series = {{"", {{0, 0}, {0.1, 0.5}, {1, 1}}}}});
  EXPECT_NE(figure.svg.find("points=\"-568,420 485.33,230 696,40\""), std::string::npos) << figure.svg;
  for (const char* tick : {">0.001<", ">0.01<", ">0.1<", ">1<"}) EXPECT_NE(figure.svg.find(tick), std::string::npos);
}

TEST(HistogramChart, HasDensitiesOfAreaOne) {
  // Four values over [0, 4]: 2 bins of width 2 with 3 and 1 of them.
  const Figure figure = histogram_chart({.distributions = {{"d", {0, 1, 1.5, 4}}}, .bins = 2});
  EXPECT_EQ(figure.csv, "distribution,low,high,count,density\nd,0,2,3,0.375\nd,2,4,1,0.125\n");
}

TEST(HistogramChart, CountsFarValuesInTheOutermostBins) {
  std::vector<double> values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 100);
  values.push_back(-1e9);
  const Figure figure = histogram_chart({.distributions = {{"d", values}}, .bins = 3});
  EXPECT_NE(figure.svg.find("1 values beyond the axis are in the outermost bins"), std::string::npos);
  EXPECT_NE(figure.csv.find("d,0,33,331,"), std::string::npos) << figure.csv;  // 0 … 32 ten times, and the far one
}

TEST(ScatterChart, DrawsTheFrontOfCheapAndGood) {
  // b is dearer than a and better; c is dearer than b and worse: not of the front.
  const Figure figure = scatter_chart(
      {.x = {"", Scale::linear, 0.0, 4.0},
       .y = {"", Scale::linear, 0.0, 4.0},
       .points = {{.label = "a", .x = 1, .y = 1}, {.label = "b", .x = 2, .y = 3}, {.label = "c", .x = 3, .y = 2}},
       .pareto = Pareto::low_x_high_y});
  EXPECT_NE(figure.svg.find("<polyline class=\"nfp-ref\" points=\"222,340 380,340 380,140\"/>"), std::string::npos)
      << figure.svg;
}

TEST(HeatmapChart, NamesHighestAndLowestOfEachColumn) {
  const Figure figure = heatmap_chart({.rows = {"r", "s"}, .columns = {"c"}, .values = {{0.25}, {0.5}}});
  EXPECT_EQ(figure.description, "c: highest 0.50 (s), lowest 0.25 (r).");
  EXPECT_EQ(figure.csv, "row,column,value\nr,c,0.25\ns,c,0.5\n");
}

TEST(HeatmapChart, TakesRowsThatAreTooShortAsEmptyFields) {
  const Figure figure = heatmap_chart({.rows = {"r", "s"}, .columns = {"c", "d"}, .values = {{1.0}}});
  EXPECT_EQ(figure.csv, "row,column,value\nr,c,1\nr,d,\ns,c,\ns,d,\n");
}

TEST(IntervalChart, IsWeakWhereTheIntervalCrossesTheReference) {
  const Figure figure = interval_chart({.rows = {{.label = "apart", .estimate = 2, .interval = Interval{1, 3}},
                                                 {.label = "crosses", .estimate = 1, .interval = Interval{-1, 3}}}});
  EXPECT_EQ(count(figure.svg, "nfp-l nfp-c0 nfp-weak"), 1U);
  EXPECT_EQ(count(figure.svg, "\"nfp-l nfp-c0\""), 1U);
  EXPECT_EQ(figure.description, "apart: 2.00 [1.00, 3.00]. crosses: 1.00 [-1.00, 3.00].");
}

TEST(CriticalDifferenceChart, OrdersByRankAndKeepsCliquesThatNameMethods) {
  const Figure figure = critical_difference_chart(
      {.methods = {{"worst", 3}, {"best", 1}, {"middle", 2}}, .cliques = {{0, 2}, {1}, {7, 8}}});
  EXPECT_EQ(figure.csv, "method,mean_rank,cliques\nbest,1,\nmiddle,2,1\nworst,3,1\n");
  EXPECT_EQ(figure.description,
            "Mean ranks, best first: best 1.00, middle 2.00, worst 3.00. Not told apart: middle, worst.");
}

}  // namespace
}  // namespace nearfar::plot
