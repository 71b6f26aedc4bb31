#include "data/readers.h"
#include "data_files.h"

namespace nearfar {
namespace {

using namespace testing;
using IdxTest = testing::DataFiles;

constexpr const char* kFix = "install it again";

/// Two images of 2 x 3 pixels, bytes 0…11, labels 7 and 9.
const std::string kImages = idx_images(2, 2, 3, counting(12));
const std::string kLabels = idx_labels(2, "\x07\x09");

TEST_F(IdxTest, ReadsPixelsRowByRowAndLabels) {
  const SourceImages images = read_idx(write("i", kImages), write("l", kLabels), kFix);
  EXPECT_EQ(images.count, 2);
  EXPECT_EQ(images.channels, 1);
  EXPECT_EQ(images.height, 2);
  EXPECT_EQ(images.width, 3);
  EXPECT_EQ(images.pixels, (std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(images.labels, (std::vector<std::int64_t>{7, 9}));
}

TEST_F(IdxTest, ReadsGzipByContent) {
  const SourceImages images = read_idx(write_gzip("i", kImages), write_gzip("l", kLabels), kFix);
  EXPECT_EQ(images.pixels.size(), 12U);
  EXPECT_EQ(images.labels, (std::vector<std::int64_t>{7, 9}));
}

TEST_F(IdxTest, RefusesAFileTruncatedAnywhere) {
  const auto labels = write("l", kLabels);
  for (std::size_t size = 0; size < kImages.size(); ++size) {
    const auto file = write("i", std::string_view(kImages).substr(0, size));
    const std::string message = refusal(ErrorKind::data, [&] { read_idx(file, labels, kFix); });
    EXPECT_EQ(message, size < 16 ? "i: truncated: " + std::to_string(size) +
                                       " bytes found, an IDX header has 16; install it again"
                                 : "i: truncated: " + std::to_string(size) +
                                       " bytes found, 28 expected by its header (2 items); install it again");
  }
}

TEST_F(IdxTest, RefusesGzipTruncatedAnywhere) {
  const auto labels = write("l", kLabels);
  const std::string whole = read_file(write_gzip("whole", kImages));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto file = write("i", std::string_view(whole).substr(0, size));
    const std::string message = refusal(ErrorKind::data, [&] { read_idx(file, labels, kFix); });
    EXPECT_TRUE(message.starts_with("i: ") && message.ends_with("; install it again")) << message;
  }
}

TEST_F(IdxTest, RefusesDamagedGzip) {
  std::string whole = read_file(write_gzip("whole", kImages));
  whole[whole.size() - 6] = static_cast<char>(whole[whole.size() - 6] ^ 1);  // in the checksum
  const auto file = write("i", whole), labels = write("l", kLabels);
  refusal(ErrorKind::data, [&] { read_idx(file, labels, kFix); });
}

TEST_F(IdxTest, RefusesTruncatedLabels) {
  const auto images = write("i", kImages), labels = write("l", std::string_view(kLabels).substr(0, 9));
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_idx(images, labels, kFix); }),
            "l: truncated: 9 bytes found, 10 expected by its header (2 items); install it again");
}

TEST_F(IdxTest, RefusesAWrongMagicNumber) {
  const auto images = write("i", kImages), labels = write("l", kLabels);
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_idx(labels, labels, kFix); }),
            "l: truncated: 10 bytes found, an IDX header has 16; install it again");
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_idx(images, images, kFix); }),
            "i: begins with 0x00000803, an IDX file of labels begins with 0x00000801; install it again");
}

TEST_F(IdxTest, RefusesHugeHeadersWithoutTakingMemory) {
  const auto labels = write("l", kLabels);
  const auto read = [&](std::uint32_t count, std::uint32_t height, std::uint32_t width) {
    const auto file = write("i", idx_images(count, height, width, "abc"));
    return refusal(ErrorKind::data, [&] { read_idx(file, labels, kFix); });
  };
  EXPECT_NE(read(0xffffffff, 1, 1).find("promises 4294967295 items"), std::string::npos);
  EXPECT_NE(read(1, 0xffffffff, 0xffffffff).find("4294967295 x 4294967295 pixels"), std::string::npos);
  EXPECT_NE(read(1, 0, 5).find("0 x 5 pixels"), std::string::npos);
  EXPECT_NE(read(100'000'000, 8192, 8192).find("promises 6710886400000000 bytes"), std::string::npos);
  EXPECT_NE(read(8'000'000, 32, 32).find("truncated: 19 bytes found, 8192000016 expected"), std::string::npos);
}

TEST_F(IdxTest, RefusesMoreThanTheHeaderPromises) {
  const auto images = write("i", kImages + "x"), labels = write("l", kLabels);
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_idx(images, labels, kFix); }),
            "i: has more than the 28 bytes that its header promises; install it again");
}

TEST_F(IdxTest, RefusesDifferentNumbersOfImagesAndLabels) {
  const auto images = write("i", kImages), labels = write("l", idx_labels(3, "abc"));
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_idx(images, labels, kFix); }),
            "l: has 3 labels, but i has 2 images; install it again");
}

TEST_F(IdxTest, NamesAMissingFile) {
  const auto labels = write("l", kLabels);
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_idx(folder_.path() / "gone", labels, kFix); }),
            "gone: there is no such file; install it again");
}

}  // namespace
}  // namespace nearfar
