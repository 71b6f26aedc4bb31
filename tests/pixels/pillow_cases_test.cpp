/// tests/golden/pixels, made by tools/make_pixel_golden.py: what Pillow makes of odd sizes, all modes, damaged and
/// hostile files.
#include <gtest/gtest.h>
// after cstdio, which it needs
#include "base/error.h"
#include "pixels_files.h"
#include "support/golden.h"

#include <jpeglib.h>
#include <nlohmann/json.hpp>

#include <optional>

namespace nearfar {
namespace {

using nlohmann::json;
using testing::Bytes;
using testing::crc;

const std::vector<std::pair<std::string, Preprocess>> kPipelines{
    {"short32/crop32x32", testing::shorter_side(32, 32, 32)},
    {"short256/crop224x224", testing::shorter_side(256, 224, 224)},
    {"exact20x30/crop16x40", testing::exact(20, 30, 16, 40)}};

class PillowCases : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto folder = testing::source_dir() / "tests/golden/pixels";
    cases_ = json::parse(read_file(folder / "cases.json"));
    files_ = testing::file_bytes(folder / "files.bin");
    for (const auto& [name, preprocess] : kPipelines) {
      EXPECT_EQ(preprocess_id(preprocess), "rgb-1/" + name);
      pipelines_.emplace_back(preprocess);
    }
  }

  /// The bytes of a case, in memory of their own so that a sanitizer sees a read past the end.
  Bytes file(const json& c, std::optional<std::size_t> length = {}) const {
    const auto from = files_.begin() + c["offset"].get<std::ptrdiff_t>();
    return {from, from + static_cast<std::ptrdiff_t>(length.value_or(c["bytes"].get<std::size_t>()))};
  }

  /// CRC of the decoded pixels, or null and a message; and whether the file is damaged.
  static json decoded(const Bytes& bytes, std::string& message, bool* damaged = nullptr) {
    RgbImage image;
    try {
      decode_image(bytes, image);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      message = error.what();
      EXPECT_FALSE(message.empty());
      return nullptr;
    }
    if (damaged) *damaged = image.damaged;
    return crc(image.bytes);
  }

  json piped(std::size_t pipeline, const Bytes& bytes, bool* damaged = nullptr) {
    const Preprocess& p = kPipelines[pipeline].second;
    Bytes out(static_cast<std::size_t>(p.height * p.width * 3));
    try {
      const bool told = pipelines_[pipeline].run(bytes, out);
      if (damaged) *damaged = told;
    } catch (const Error&) {
      return nullptr;
    }
    return crc(out);
  }

  json cases_;
  Bytes files_;
  std::vector<ImagePipeline> pipelines_;
};

TEST_F(PillowCases, OfOddSizesAndAllModesHavePillowsPixels) {
  ASSERT_GE(cases_["good"].size(), 600U);
  for (const json& c : cases_["good"]) {
    std::string message;
    bool damaged = true;
    EXPECT_EQ(decoded(file(c), message, &damaged), c["rgb_crc32"]) << c["name"] << " " << message;
    EXPECT_FALSE(damaged) << c["name"];
    for (std::size_t i = 0; i < kPipelines.size(); ++i) {
      damaged = true;
      EXPECT_EQ(piped(i, file(c), &damaged), c["pipelines"][kPipelines[i].first])
          << c["name"] << " " << kPipelines[i].first;
      EXPECT_FALSE(damaged) << c["name"] << " " << kPipelines[i].first;
    }
  }
}

TEST_F(PillowCases, ThatAreHostileGivePillowsPixelsOrAMessage) {
  ASSERT_GE(cases_["hostile"].size(), 200U);
  for (const json& c : cases_["hostile"]) {
    std::string message;
    const json got = decoded(file(c), message);
    if (c["name"].get<std::string>().starts_with("ours_")) {
      EXPECT_TRUE(got.is_null()) << c["name"];
      continue;
    }
    // Damaged codes, which giflib takes for other pixels; damaged tags, which libtiff repairs.
    if (c["name"].get<std::string>().starts_with("giflib_") || c["name"].get<std::string>().starts_with("libtiff_")) {
      EXPECT_FALSE(got.is_null()) << c["name"] << " " << message;
      continue;
    }
    EXPECT_EQ(got, c["rgb_crc32"]) << c["name"] << " " << message;
    if (!got.is_null()) {
      EXPECT_EQ(piped(0, file(c)), c["pipelines"][kPipelines[0].first]) << c["name"];
    }
  }
}

/// libjpeg-turbo before 3.0.1 smooths the blocks of an unfinished progressive file otherwise where chroma is subsampled
/// vertically.
bool known_to_differ(const std::string& name) {
  return name == "cut_progressive_420.jpg" && LIBJPEG_TURBO_VERSION_NUMBER < 3000001;
}

TEST_F(PillowCases, CutOffAtEvery64BytesGivePillowsPixelsOrAMessage) {
  std::size_t compared = 0, differ = 0, told = 0;
  for (const json& c : cases_["truncated"]) {
    for (const json& cut : c["cuts"]) {
      const Bytes part = file(c, cut[0].get<std::size_t>());
      std::string message;
      bool damaged = false, small_damaged = false;
      const json got = decoded(part, message, &damaged), small = piped(0, part, &small_damaged);
      // What has other pixels than the whole file must say so.
      const json& whole = c["rgb_crc32"];
      told += damaged && small_damaged ? 1 : 0;
      EXPECT_TRUE(damaged || got.is_null() || got == whole) << c["name"] << " of " << cut[0] << " bytes";
      EXPECT_TRUE(small_damaged || small.is_null() || got == whole) << c["name"] << " of " << cut[0] << " bytes";
      ++compared;
      if (known_to_differ(c["name"])) {
        EXPECT_EQ(got.is_null(), cut[1].is_null());
        ++differ;
        continue;
      }
      EXPECT_EQ(got, cut[1]) << c["name"] << " of " << cut[0] << " bytes " << message;
      EXPECT_EQ(small, cut[2]) << c["name"] << " of " << cut[0] << " bytes";
    }
  }
  EXPECT_GE(compared - differ, 300U);
  EXPECT_GE(told, 300U);
}

}  // namespace
}  // namespace nearfar
