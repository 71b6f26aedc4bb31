#include "base/error.h"
#include "pixels_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace nearfar {
namespace {

using testing::Bytes;
using ::testing::HasSubstr;
using testing::synthetic;

std::string refusal(const Bytes& file) {
  RgbImage image;
  try {
    decode_image(file, image);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
  return "";
}

TEST(ImageFormat, IsToldByContent) {
  EXPECT_EQ(image_format(encode_png(synthetic(2, 2))), ImageFormat::png);
  EXPECT_EQ(image_format(encode_jpeg(synthetic(2, 2), 90)), ImageFormat::jpeg);
  const std::string webp("RIFF\0\0\0\0WEBPVP8 ", 16);
  EXPECT_EQ(image_format(Bytes(webp.begin(), webp.end())), ImageFormat::webp);
  EXPECT_EQ(image_format(Bytes{'G', 'I', 'F', '8', '9', 'a'}), ImageFormat::gif);
  EXPECT_EQ(image_format(Bytes{'B', 'M'}), ImageFormat::bmp);
  EXPECT_EQ(image_format(Bytes{'P', '6', '\n'}), ImageFormat::pnm);
  EXPECT_EQ(image_format(Bytes{'P', '7', '\n'}), ImageFormat::unknown);
  EXPECT_EQ(image_format(Bytes{'I', 'I', 42, 0}), ImageFormat::tiff);
  EXPECT_EQ(image_format(Bytes{'M', 'M', 0, 42}), ImageFormat::tiff);
  EXPECT_EQ(image_format(Bytes{'M', 'M', 42, 0}), ImageFormat::unknown);
  EXPECT_EQ(image_format({}), ImageFormat::unknown);
}

TEST(DecodeImage, GivesBackWhatEncodePngWasGiven) {
  for (const auto& [width, height] : {std::pair{1, 1}, {3, 2}, {33, 500}}) {
    const RgbImage image = synthetic(width, height);
    RgbImage back;
    decode_image(encode_png(image), back);
    EXPECT_EQ(back.width, width);
    EXPECT_EQ(back.height, height);
    EXPECT_EQ(back.bytes, image.bytes);
  }
}

TEST(DecodeImage, GivesNearlyBackWhatEncodeJpegWasGiven) {
  RgbImage image{17, 9, Bytes(17 * 9 * 3, 90)};
  RgbImage back;
  decode_image(encode_jpeg(image, 95), back);
  ASSERT_EQ(back.bytes.size(), image.bytes.size());
  for (std::size_t i = 0; i < back.bytes.size(); ++i) ASSERT_LE(std::abs(back.bytes[i] - 90), 2);
}

TEST(DecodeImage, UsesTheMemoryOfItsImageAgain) {
  RgbImage image;
  decode_image(encode_png(synthetic(40, 30)), image);
  const auto* before = image.bytes.data();
  decode_image(encode_png(synthetic(20, 10)), image);
  EXPECT_EQ(image.bytes.data(), before);
  EXPECT_EQ(image.bytes, synthetic(20, 10).bytes);
}

TEST(DecodeImage, DoesNotRememberTheTablesOfTheFileBefore) {
  const Bytes good = encode_jpeg(synthetic(16, 16), 90);
  Bytes bare(good.begin(), good.begin() + 2);  // without its quantization tables
  for (std::size_t at = 2; good[at + 1] != 0xDA;) {
    const std::size_t length = 2U + static_cast<std::size_t>(good[at + 2] << 8 | good[at + 3]);
    const auto from = good.begin() + static_cast<std::ptrdiff_t>(at);
    if (good[at + 1] != 0xDB) bare.insert(bare.end(), from, from + static_cast<std::ptrdiff_t>(length));
    at += length;
    if (good[at + 1] == 0xDA) bare.insert(bare.end(), good.begin() + static_cast<std::ptrdiff_t>(at), good.end());
  }
  RgbImage image;
  decode_image(good, image);
  decode_image(bare, image);  // Pillow leaves the image black
  EXPECT_TRUE(std::all_of(image.bytes.begin(), image.bytes.end(), [](std::uint8_t byte) { return byte == 0; }));
}

TEST(DecodeImage, SaysWhatIsWrong) {
  EXPECT_EQ(refusal({}), "the file is empty");
  EXPECT_THAT(refusal({'P', '6', 1, 2}),
              HasSubstr("neither JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, PGM nor PBM: the file begins with 50 36 01 02"));
  EXPECT_THAT(refusal({0xFF, 0xD8, 0xFF, 0xE0}), HasSubstr("JPEG: ends in the length of marker FFE0"));
  Bytes png = encode_png(synthetic(2, 2));
  png[16] = 9;
  EXPECT_THAT(refusal(png), HasSubstr("PNG: wrong checksum of chunk IHDR"));
  Bytes jpeg = encode_jpeg(synthetic(2, 2), 90);
  const Bytes marker{0xFF, 0xC0};
  const auto frame = std::search(jpeg.begin(), jpeg.end(), marker.begin(), marker.end()) - jpeg.begin();
  for (std::ptrdiff_t i = 5; i < 9; ++i) jpeg[static_cast<std::size_t>(frame + i)] = 0xFF;
  EXPECT_THAT(refusal(jpeg), HasSubstr("65535 x 65535 pixels; more than 178956970 in all"));
}

TEST(DecodeImage, ReadsABmpOfFourPixels) {
  Bytes file{'B', 'M', 0, 0,  0,  0,  0, 0, 0, 0, 26, 0, 0, 0,  // pixels at 26
             12,  0,   0, 0,  2,  0,  2, 0, 1, 0, 24, 0,        // 2 x 2 of 24 bits
             1,   2,   3, 4,  5,  6,  0, 0,                     // bottom row, blue first, padded to 4 bytes
             7,   8,   9, 10, 11, 12, 0, 0};
  RgbImage image;
  decode_image(file, image);
  EXPECT_EQ(image.bytes, (Bytes{9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4}));
  file[24] = 5;
  EXPECT_EQ(refusal(file), "BMP: 5 bits a pixel");
}

TEST(DecodeImage, ReadsAGifOfThreePixelsWhoseFrameCoversTwo) {
  Bytes file{'G', 'I', 'F',  '8',  '9', 'a', 3, 0, 1, 0, 0x80, 0, 0,  // screen of 3 x 1
             10,  20,  30,   40,   50,  60,                           // two colours
             ',', 1,   0,    0,    0,   2,   0, 1, 0, 0,              // frame of 2 x 1 at 1, 0
             2,   2,   0x4C, 0x01, 0,   ';'};  // 3 bits from the low end: 100 clear, 001 colour 1, 101 end
  RgbImage image;
  decode_image(file, image);
  EXPECT_EQ(image.bytes, (Bytes{10, 20, 30, 40, 50, 60, 10, 20, 30}));  // the end comes a pixel early
  file.resize(29);
  EXPECT_EQ(refusal(file), "GIF: cut off before the pixels of the first frame");
}

TEST(DecodeImage, RefusesWebpWithAMessageOrReadsIt) {
  const std::string text("RIFF\x04\0\0\0WEBP", 12);
  const std::string message = refusal(Bytes(text.begin(), text.end()));
  EXPECT_THAT(message, HasSubstr(webp_supported() ? "WebP: damaged header" : "this build reads none"));
}

TEST(EncodeImage, RefusesAnImageWhoseBytesAreMissing) {
  EXPECT_THROW(encode_png({2, 2, Bytes(11)}), Error);
  EXPECT_THROW(encode_jpeg({0, 2, {}}, 90), Error);
}

}  // namespace
}  // namespace nearfar
