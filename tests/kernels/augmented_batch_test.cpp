#include "augmented_batch.h"

#include "train/random.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <set>

namespace nearfar {
namespace {

/// `count` images of 1 x 2 x 3; image i holds 10 i + 1 … 10 i + 6; identity normalisation, so that a value v reads v /
/// 255.
struct Images {
  explicit Images(std::int64_t count) : labels(static_cast<std::size_t>(count)) {
    for (std::int64_t i = 0; i < count; ++i) {
      for (int p = 1; p <= 6; ++p) pixels.push_back(static_cast<std::uint8_t>(10 * i + p));
    }
    view = {pixels, labels, count, 1, 2, 3, {0}, {1}};
  }
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  ImageView view;
};

std::vector<int> row_of(const at::Tensor& batch, std::int64_t row) {
  const at::Tensor whole = batch.select(0, row).contiguous();
  std::vector<int> values;
  for (std::int64_t i = 0; i < whole.numel(); ++i)
    values.push_back(static_cast<int>(whole.const_data_ptr<float>()[i] * 255 + 0.5F));
  return values;
}

TEST(AugmentedBatch, WithoutAugmentationIsTheTestTransformInTheOrderAsked) {
  const Images images(3);
  const std::vector<std::int64_t> order{2, 0};
  const at::Tensor batch = augmented_batch(images.view, order, {}, 1, 5, 0);
  EXPECT_EQ(row_of(batch, 0), (std::vector<int>{21, 22, 23, 24, 25, 26}));
  EXPECT_TRUE(at::equal(batch.select(0, 1), test_batch(images.view, 0, 1).select(0, 0)));
}

TEST(AugmentedBatch, FlipsAboutHalfOfTheImages) {
  const Images images(20);
  int flipped = 0;
  for (std::int64_t epoch = 0; epoch < 50; ++epoch) {
    std::vector<std::int64_t> all(20);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    const at::Tensor batch = augmented_batch(images.view, all, {0, true}, 1, 5, epoch);
    for (int i = 0; i < 20; ++i) {
      const std::vector<int> row = row_of(batch, i);
      const int base = 10 * i;
      const bool mirrored = row == std::vector<int>{base + 3, base + 2, base + 1, base + 6, base + 5, base + 4};
      EXPECT_TRUE(mirrored || row == (std::vector<int>{base + 1, base + 2, base + 3, base + 4, base + 5, base + 6}));
      flipped += mirrored ? 1 : 0;
    }
  }
  EXPECT_NEAR(flipped, 500, 80);  // binomial(1000, 1/2): 5 standard deviations
}

TEST(AugmentedBatch, ShiftsByEveryAmountAndFillsWithBlack) {
  const Images images(1);
  std::set<std::vector<int>> seen;
  const std::vector<std::int64_t> one{0};
  for (std::int64_t epoch = 0; epoch < 200; ++epoch)
    seen.insert(row_of(augmented_batch(images.view, one, {1, false}, 1, 5, epoch), 0));
  EXPECT_EQ(seen.size(), 9u);  // 3 x 3 shifts
  EXPECT_TRUE(seen.contains({1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(seen.contains({0, 0, 0, 0, 1, 2}));  // down and right
  EXPECT_TRUE(seen.contains({5, 6, 0, 0, 0, 0}));  // up and left
}

TEST(AugmentedBatch, GivesAnImageTheSameViewInAnyBatch) {
  const Images images(10);
  const Augmentation augmentation{1, true};
  const std::vector<std::int64_t> many{7, 3, 5}, few{5};
  const at::Tensor batch = augmented_batch(images.view, many, augmentation, 2, 9, 4);
  const at::Tensor alone = augmented_batch(images.view, few, augmentation, 2, 9, 4);
  EXPECT_EQ(batch.size(0), 6);
  EXPECT_EQ(row_of(batch, 2), row_of(alone, 0));  // first view
  EXPECT_EQ(row_of(batch, 5), row_of(alone, 1));  // second view
}

}  // namespace
}  // namespace nearfar
