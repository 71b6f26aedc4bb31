/// What the operators refuse, and recipes end to end.
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

const AugmentRecipe kContrastive{.views = 2,
                                 .smallest_crop = 0.2,
                                 .flip = true,
                                 .jitter = {0.4, 0.4, 0.4, 0.1},
                                 .jitter_share = 0.8,
                                 .gray_share = 0.2};

TEST(Augment, RefusesWhatItCannotMean) {
  const ImageSet set(4, 3, 8, 8, 1), four(4, 4, 8, 8, 1);
  const at::Tensor rows = long_tensor({0, 1});
  const auto call = [&](const AugmentRecipe& recipe) { return augment(set.pixels, rows, set.table, recipe, 1, 0); };
  EXPECT_THROW(call({.shift = 2, .smallest_crop = 0.5}), c10::Error);
  EXPECT_THROW(call({.smallest_crop = 0}), c10::Error);
  EXPECT_THROW(call({.views = 0}), c10::Error);
  EXPECT_THROW(call({.jitter = {.hue = 0.6}, .jitter_share = 1}), c10::Error);
  EXPECT_THROW(call({.jitter = {.contrast = -1}, .jitter_share = 1}), c10::Error);
  EXPECT_THROW(augment(four.pixels, rows, four.table, {.gray_share = 1}, 1, 0), c10::Error);
  EXPECT_THROW(augment(set.pixels, rows, four.table, {}, 1, 0), c10::Error);
  EXPECT_THROW(augment(set.pixels.toType(at::kFloat), rows, set.table, {}, 1, 0), c10::Error);
  EXPECT_THROW(augment(set.pixels, rows.toType(at::kInt), set.table, {}, 1, 0), c10::Error);
  EXPECT_THROW(augment(set.pixels, rows, set.table, {}, 1, at::full({2}, 1, at::kLong)), c10::Error);
  EXPECT_THROW(augment(set.pixels, long_tensor({4}), set.table, {}, 1, 0), c10::IndexError);
  EXPECT_THROW(augment(set.pixels, long_tensor({-1}), set.table, {}, 1, 0), c10::IndexError);
  EXPECT_THROW(normalize(set.pixels.permute({0, 2, 1, 3}), set.table), c10::Error);
}

TEST(Composite, SaysWhatItCannotDo) {
  const ImageSet set(4, 3, 8, 8, 1);
  const at::Tensor rows = long_tensor({0, 1}), epoch = at::full({}, 0, at::kLong);
  const std::array<double, 4> none{};
  EXPECT_THROW(composite::augment({set.pixels, rows, set.table, epoch, 1, 1, 0, 0.2, false, none, 0, 0}),
               c10::NotImplementedError);
}

TEST(Augment, GivesAnImageTheSameViewsInAnyBatchAndOtherOnesElsewhere) {
  const ImageSet set(10, 3, 12, 9, 3);
  const at::Tensor many = augment(set.pixels, long_tensor({7, 3, 5}), set.table, kContrastive, 9, 4);
  const at::Tensor alone = augment(set.pixels, long_tensor({5}), set.table, kContrastive, 9, 4);
  EXPECT_TRUE(many.select(0, 2).equal(alone.select(0, 0)));
  EXPECT_TRUE(many.select(0, 5).equal(alone.select(0, 1)));
  EXPECT_FALSE(alone.select(0, 0).equal(alone.select(0, 1)));
  EXPECT_FALSE(alone.equal(augment(set.pixels, long_tensor({5}), set.table, kContrastive, 9, 5)));
}

TEST(Augment, MakesOneChannelImagesBrighterAndNeverColoured) {
  const ImageSet set(6, 1, 10, 10, 3);
  const at::Tensor rows = long_tensor({0, 1, 2, 3, 4, 5});
  AugmentRecipe recipe{.jitter = {.saturation = 0.4, .hue = 0.1}, .jitter_share = 1, .gray_share = 1};
  EXPECT_TRUE(augment(set.pixels, rows, set.table, recipe, 1, 0).equal(normalize(set.pixels, set.table)));
  recipe.jitter.brightness = 0.4;
  EXPECT_FALSE(augment(set.pixels, rows, set.table, recipe, 1, 0).equal(normalize(set.pixels, set.table)));
}

TEST(Augment, MakesGreyImagesOfThreeEqualChannels) {
  const ImageSet set(6, 3, 10, 10, 3);
  const at::Tensor same = set.table.select(0, 0).expand({3, 256}).contiguous();
  const at::Tensor out = augment(set.pixels, long_tensor({0, 4}), same, {.gray_share = 1}, 1, 0);
  EXPECT_TRUE(out.select(1, 0).equal(out.select(1, 1)));
  EXPECT_TRUE(out.select(1, 0).equal(out.select(1, 2)));
}

}  // namespace
}  // namespace nearfar
