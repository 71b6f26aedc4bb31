#include "data/thumbnails.h"

#include "made_images.h"

#include <filesystem>

namespace nearfar {
namespace {

RgbImage decoded(const std::vector<std::uint8_t>& file) {
  RgbImage image;
  decode_image(file, image);
  return image;
}

class Thumbnails : public testing::MadeImages {
 protected:
  std::map<std::int64_t, Thumbnail> of(const Benchmark& benchmark, const std::vector<std::int64_t>& positions,
                                       std::int64_t count) const {
    return thumbnails(benchmark, "test", options_, positions, count, "");
  }
};

TEST_F(Thumbnails, AreTheImagesAtTheirPositionsWithTheirFiles) {
  const Benchmark benchmark = made_benchmark(4, 6, 0, 0);  // test images are numbers 4 … 9
  const auto found = of(benchmark, {5, 0}, 6);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(decoded(found.at(0).png).bytes, testing::made_pixels(4));
  EXPECT_EQ(decoded(found.at(5).png).bytes, testing::made_pixels(9));
  EXPECT_NE(found.at(5).where.find("test_made.txt:6"), std::string::npos) << found.at(5).where;
  EXPECT_NE(found.at(5).where.find("0005.png"), std::string::npos) << found.at(5).where;
}

TEST_F(Thumbnails, OfLargeImagesAreSmall) {
  const Benchmark benchmark = made_benchmark(4, 6, 0, 0);
  write("images/test_made/0001.png", testing::made_png(1, 200));
  const RgbImage image = decoded(of(benchmark, {1}, 6).at(1).png);
  EXPECT_EQ(image.width, kThumbnailSide);
  EXPECT_EQ(image.height, kThumbnailSide);
}

TEST_F(Thumbnails, OfAFileThatIsNoImageAreItsNameAlone) {
  const Benchmark benchmark = made_benchmark(4, 6, 0, 0);
  write("images/test_made/0002.png", "not an image");
  const auto found = of(benchmark, {2}, 6);
  EXPECT_TRUE(found.at(2).png.empty());
  EXPECT_NE(found.at(2).where.find("0002.png"), std::string::npos);
}

TEST_F(Thumbnails, OfAnotherSetThanWasScoredAreRefused) {
  const Benchmark benchmark = made_benchmark(4, 6, 0, 0);
  EXPECT_NE(refusal(ErrorKind::data, [&] { of(benchmark, {0}, 7); }).find("6 images here and 7 scores"),
            std::string::npos);
  EXPECT_TRUE(of(benchmark, {-1, 6}, 6).empty()) << "positions that no image has";
}

}  // namespace
}  // namespace nearfar
