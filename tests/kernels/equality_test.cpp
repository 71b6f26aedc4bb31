/// The operators against augmented_batch and test_batch, and the tensor operators' form against the kernels: to the
/// bit.
#include "augmented_batch.h"
#include "image_sets.h"
#include "kernels/augment.h"
#include "kernels/composite.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <array>

namespace nearfar {
namespace {

using testing::ImageSet;
using testing::long_tensor;
using testing::same_memory;

struct Size {
  std::int64_t channels, height, width, shift;
  bool flip;
  int views;
  std::uint64_t seed;
  std::int64_t epoch;
};
constexpr Size kSizes[] = {
    {1, 28, 28, 2, true, 1, 5, 0},     {3, 32, 32, 4, true, 2, 99, 3},
    {3, 7, 13, 0, true, 1, 0, 1},      {1, 5, 3, 7, false, 2, ~0ULL, 12},  // moved out altogether, too
    {4, 6, 1, 1, true, 2, 1, 1 << 20}, {3, 1, 9, 0, false, 1, 1ULL << 63, 2}};

at::Tensor composite_augment(const ImageSet& set, const at::Tensor& indices, const Size& size) {
  const at::Tensor epoch = at::full({}, size.epoch, at::kLong);
  const std::array<double, 4> none{};
  return composite::augment({set.pixels, indices, set.table, epoch, static_cast<std::int64_t>(size.seed), size.views,
                             size.shift, 1.0, size.flip, none, 0, 0});
}

TEST(Augment, EqualsAugmentedBatchToTheBit) {
  for (const Size& size : kSizes) {
    const ImageSet set(20, size.channels, size.height, size.width, size.seed);
    const std::vector<std::int64_t> rows{3, 19, 0, 7, 7, 11};
    const at::Tensor expected =
        augmented_batch(set.view, rows, {size.shift, size.flip}, size.views, size.seed, size.epoch);
    const AugmentRecipe recipe{.views = size.views, .shift = size.shift, .flip = size.flip};
    const at::Tensor indices = long_tensor(rows);
    EXPECT_TRUE(same_memory(augment(set.pixels, indices, set.table, recipe, size.seed, size.epoch), expected))
        << size.height << " x " << size.width;
    EXPECT_TRUE(same_memory(composite_augment(set, indices, size), expected)) << size.height << " x " << size.width;
  }
}

TEST(Augment, ReadsTheEpochWhenItRuns) {
  const ImageSet set(4, 3, 8, 8, 1);
  const std::vector<std::int64_t> rows{0, 1, 2, 3};
  at::Tensor epoch = at::full({1}, 4, at::kLong);
  const AugmentRecipe recipe{.shift = 3, .flip = true};
  const at::Tensor first = augment(set.pixels, long_tensor(rows), set.table, recipe, 7, epoch);
  epoch.fill_(5);
  const at::Tensor second = augment(set.pixels, long_tensor(rows), set.table, recipe, 7, epoch);
  EXPECT_TRUE(first.equal(augmented_batch(set.view, rows, {3, true}, 1, 7, 4)));
  EXPECT_TRUE(second.equal(augmented_batch(set.view, rows, {3, true}, 1, 7, 5)));
  EXPECT_FALSE(first.equal(second));
}

TEST(Augment, OfNoImagesIsEmpty) {
  const ImageSet set(4, 3, 8, 8, 1);
  EXPECT_EQ(augment(set.pixels, long_tensor({}), set.table, {.views = 2}, 7, 0).sizes(),
            (std::vector<std::int64_t>{0, 3, 8, 8}));
}

TEST(Normalize, EqualsTestBatchToTheBit) {
  for (const Size& size : kSizes) {
    const ImageSet set(9, size.channels, size.height, size.width, size.seed);
    const at::Tensor expected = test_batch(set.view, 0, 9);
    EXPECT_TRUE(same_memory(normalize(set.pixels, set.table), expected));
    EXPECT_TRUE(same_memory(composite::normalize(set.pixels, set.table), expected));
    EXPECT_TRUE(same_memory(normalize(set.pixels.narrow(0, 2, 5), set.table), test_batch(set.view, 2, 7)));
  }
}

}  // namespace
}  // namespace nearfar
