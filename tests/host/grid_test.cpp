#include "host/grid.h"

#include "expect_error.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

const ParamSchema kSchema = {
    {.name = "k", .type = ParamType::integer, .default_value = std::int64_t{50}, .minimum = 1, .maximum = 1000},
    {.name = "alpha", .type = ParamType::number, .default_value = 1.0, .minimum = 0, .maximum = 10}};

TEST(ParamGrid, TheFirstParameterVariesFastest) {
  const ParamGrid grid = grid_from_text(kSchema, "k=50,100;alpha=0.1,1", "knn");
  ASSERT_EQ(grid.size(), 4u);
  std::vector<std::string> points;
  for (std::size_t i = 0; i < grid.size(); ++i) points.push_back(canonical_params(grid.point(i)));
  EXPECT_EQ(points, (std::vector<std::string>{"alpha=0.1;k=50", "alpha=0.1;k=100", "alpha=1;k=50", "alpha=1;k=100"}));
  EXPECT_EQ(grid_from_text(kSchema, grid_text(grid), "knn"), grid);
}

TEST(ParamGrid, OfAConfigIsPutIntoTheSchemasOrder) {
  const ParamGrid grid = checked_grid(kSchema, {{"alpha", {std::int64_t{1}}}, {"k", {std::int64_t{5}}}}, "x.toml:3:1");
  EXPECT_EQ(grid_text(grid), "k=5;alpha=1");
}

const ParamSchema kTextSchema = {
    {.name = "fit", .type = ParamType::text, .default_value = std::string()},
    {.name = "k", .type = ParamType::integer, .default_value = std::int64_t{1}, .minimum = 1, .maximum = 9}};

TEST(ParamGrid, KeepsTextsThatHoldWhatSeparates) {
  const std::vector<ParamValue> texts{std::string("a,b"),          std::string("say \"x\", y"), std::string(" blank "),
                                      std::string("back\\slash,"), std::string("k=1,2"),        std::string("ä,ö")};
  const ParamGrid grid = checked_grid(kTextSchema, {{"fit", texts}, {"k", {std::int64_t{1}, std::int64_t{2}}}}, "x");
  EXPECT_EQ(grid_from_text(kTextSchema, grid_text(grid), "x"), grid) << grid_text(grid);
  const ParamGrid two = checked_grid(kTextSchema, {{"fit", {std::string("a,b"), std::string("c")}}}, "x");
  EXPECT_EQ(grid_text(two), "fit=\"a,b\",c");
}

TEST(ParamGrid, PrintsPlainTextsBare) {
  // The text is part of what a result is known by: it must not change.
  const std::vector<ParamValue> texts{std::string("val"), std::string("a b"), std::string("./x=1\\2.npy"),
                                      std::string()};
  const ParamGrid grid = checked_grid(kTextSchema, {{"fit", texts}}, "x");
  EXPECT_EQ(grid_text(grid), "fit=val,a b,./x=1\\2.npy,");
  EXPECT_EQ(grid_from_text(kTextSchema, grid_text(grid), "x"), grid);
}

TEST(ParamGrid, RefusesHalfAQuote) {
  for (const char* text : {"fit=\"a,b", "fit=a\"b\"", "fit=\"a\"b,c", "fit=\"a\\"})
    EXPECT_ERROR(grid_from_text(kTextSchema, text, "knn"), ErrorKind::config, "knn: ", "is not well quoted");
  EXPECT_ERROR(grid_from_text(kTextSchema, "k=\"1\"", "knn"), ErrorKind::config, "expected an integer");
}

TEST(ParamGrid, AListOfPointsGoesThroughItsAxesTogether) {
  const ParamGrid points = checked_points(
      kSchema, {{{"alpha", 0.1}, {"k", std::int64_t{50}}}, {{"alpha", 1.0}, {"k", std::int64_t{50}}}}, "x.toml:3:1");
  EXPECT_TRUE(points.zipped);
  EXPECT_EQ(points.size(), 2u);
  EXPECT_EQ(canonical_params(points.point(1)), "alpha=1;k=50");
  EXPECT_EQ(grid_text(points), "zip;k=50,50;alpha=0.1,1");
  EXPECT_EQ(grid_from_text(kSchema, "zip;k=50,50;alpha=0.1,1", "knn"), points);
  EXPECT_NE(grid_from_text(kSchema, "k=50;alpha=0.1,1", "knn"), points);
}

TEST(ParamGrid, AListOfPointsOfOneParameterIsAGrid) {
  // The same points have the same text, so that they are the same cell.
  const ParamGrid points = checked_points(kSchema, {{{"k", std::int64_t{9}}}, {{"k", std::int64_t{3}}}}, "x");
  EXPECT_EQ(grid_text(points), "k=9,3");
  EXPECT_EQ(points, grid_from_text(kSchema, "k=9,3", "x"));
  EXPECT_EQ(points, grid_from_text(kSchema, "zip;k=9,3", "x"));
}

TEST(ParamGrid, RefusesListsThatAreNone) {
  EXPECT_ERROR(grid_from_text(kSchema, "zip;k=1,2;alpha=0.1", "knn"), ErrorKind::config,
               "knn: a list of points has 2 values of 'k' and 1 of 'alpha'");
  EXPECT_ERROR(grid_from_text(kSchema, "zip;k=1,1;alpha=2,2", "knn"), ErrorKind::config,
               "the point alpha=2;k=1 stands twice");
  EXPECT_ERROR(grid_from_text(kSchema, "zip", "knn"), ErrorKind::config, "no '='");
  EXPECT_ERROR(grid_from_text(kSchema, "k=1;zip", "knn"), ErrorKind::config, "no '='");
}

TEST(ParamGrid, NoTextIsNoPoint) { EXPECT_EQ(grid_from_text(kSchema, "", "knn").size(), 0u); }

TEST(ParamGrid, RefusesToSearchFiles) {
  const ParamSchema schema = {{.name = "picks", .type = ParamType::file, .default_value = std::string()}};
  EXPECT_ERROR(grid_from_text(schema, "picks=a.npy,b.npy", "cfood"), ErrorKind::config,
               "'picks' is a file and cannot be searched");
}

TEST(ParamGrid, RefusesWhatCannotBeSearched) {
  EXPECT_ERROR(grid_from_text(kSchema, "q=1", "knn"), ErrorKind::config, "unknown parameter 'q'");
  EXPECT_ERROR(grid_from_text(kSchema, "k=0", "knn"), ErrorKind::config, "expected an integer from 1 to 1000");
  EXPECT_ERROR(grid_from_text(kSchema, "k=5,5", "knn"), ErrorKind::config, "5 stands twice");
  EXPECT_ERROR(grid_from_text(kSchema, "k=5;k=6", "knn"), ErrorKind::config, "'k' stands twice");
  EXPECT_ERROR(grid_from_text(kSchema, "k", "knn"), ErrorKind::config, "no '='");
  EXPECT_ERROR(checked_grid(kSchema, {{"k", {}}}, "x.toml:3:1"), ErrorKind::config, "no value for 'k'");
}

}  // namespace
}  // namespace nearfar
