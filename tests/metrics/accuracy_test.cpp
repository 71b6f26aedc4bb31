#include "metrics/accuracy.h"

#include <nearfar/error.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace nearfar {
namespace {

using Classes = std::vector<std::int64_t>;

TEST(Accuracy, IsTheShareOfEqualPairs) {
  EXPECT_DOUBLE_EQ(accuracy(Classes{0, 1, 2, 2}, Classes{0, 1, 2, 1}), 0.75);
  EXPECT_DOUBLE_EQ(accuracy(Classes{3}, Classes{3}), 1.0);
  EXPECT_DOUBLE_EQ(accuracy(Classes{3}, Classes{4}), 0.0);
}

TEST(Accuracy, RefusesUnequalLengthsAndNothing) {
  EXPECT_THROW(accuracy(Classes{1, 2}, Classes{1}), Error);
  EXPECT_THROW(accuracy(Classes{}, Classes{}), Error);
}

}  // namespace
}  // namespace nearfar
