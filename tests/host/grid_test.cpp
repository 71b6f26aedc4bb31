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

TEST(ParamGrid, NoTextIsNoPoint) { EXPECT_EQ(grid_from_text(kSchema, "", "knn").size(), 0u); }

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
