#include "data/readers.h"
#include "data_files.h"

namespace nearfar {
namespace {

using CifarTest = testing::DataFiles;

/// One record: labels, then planes of which pixel p has red p % 251, green 1, blue 2 (+ shift).
std::string record(const std::string& labels, int shift = 0) {
  std::string bytes = labels;
  for (int p = 0; p < 1024; ++p) bytes += static_cast<char>(p % 251 + shift);
  bytes += std::string(1024, static_cast<char>(1 + shift)) + std::string(1024, static_cast<char>(2 + shift));
  return bytes;
}

TEST_F(CifarTest, PlanesBecomeInterleavedPixels) {
  const SourceImages images = read_cifar({write("data_batch_1.bin", record("\x07"))}, 1, "");
  EXPECT_EQ(images.count, 1);
  EXPECT_EQ(images.channels, 3);
  EXPECT_EQ(images.height, 32);
  EXPECT_EQ(images.width, 32);
  ASSERT_EQ(images.pixels.size(), 3072U);
  EXPECT_EQ(images.labels, std::vector<std::int64_t>{7});
  // Pixel 0 is (0, 1, 2), pixel 1 is (1, 1, 2), pixel 33 = row 1, column 1 is (33, 1, 2).
  EXPECT_EQ(std::vector<std::uint8_t>(images.pixels.begin(), images.pixels.begin() + 6),
            (std::vector<std::uint8_t>{0, 1, 2, 1, 1, 2}));
  EXPECT_EQ(images.pixels[99], 33);
}

TEST_F(CifarTest, BatchesFollowOneAnother) {
  const auto one = write("one.bin", record("\x01") + record("\x02", 1)), two = write("two.bin", record("\x03", 2));
  const SourceImages images = read_cifar({one, two}, 1, "");
  EXPECT_EQ(images.labels, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(images.pixels[2 * 3072 + 1], 3);
}

TEST_F(CifarTest, OfTwoLabelBytesTheSecondCounts) {
  const SourceImages images = read_cifar({write("train.bin", record("\x0b\x63"))}, 2, "");
  EXPECT_EQ(images.labels, std::vector<std::int64_t>{99});
  EXPECT_EQ(images.pixels[1], 1);
}

TEST_F(CifarTest, RefusesOtherSizesAndMissingFiles) {
  const auto read = [&](const std::string& content, std::int64_t label_bytes) {
    const auto file = write("b.bin", content);
    return refusal(ErrorKind::data, [&] { read_cifar({file}, label_bytes, "fetch it again"); });
  };
  EXPECT_EQ(read(record("\x01") + "x", 1),
            "b.bin: has 3074 bytes; a CIFAR batch with 1 label byte has a multiple of 3073; fetch it again");
  EXPECT_EQ(read(record("\x01"), 2),
            "b.bin: has 3073 bytes; a CIFAR batch with 2 label bytes has a multiple of 3074; fetch it again");
  EXPECT_EQ(read("", 1), "b.bin: has 0 bytes; a CIFAR batch with 1 label byte has a multiple of 3073; fetch it again");
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_cifar({folder_.path() / "gone.bin"}, 1, "fetch it again"); }),
            "gone.bin: there is no such file; fetch it again");
}

}  // namespace
}  // namespace nearfar
