#include "base/base64.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace nearfar {
namespace {

std::string of(std::string_view text) { return base64(std::vector<std::uint8_t>(text.begin(), text.end())); }

TEST(Base64, EqualsTheExamplesOfTheStandard) {  // RFC 4648, section 10
  EXPECT_EQ(of(""), "");
  EXPECT_EQ(of("f"), "Zg==");
  EXPECT_EQ(of("fo"), "Zm8=");
  EXPECT_EQ(of("foo"), "Zm9v");
  EXPECT_EQ(of("foobar"), "Zm9vYmFy");
}

TEST(Base64, OfManyBytesIsOneLine) {
  const std::string text = base64(std::vector<std::uint8_t>((3 << 20) + 1, 0));
  EXPECT_EQ(text.size(), static_cast<std::size_t>((1 << 20) + 1) * 4);
  EXPECT_EQ(text.find_first_not_of('A'), text.size() - 2) << "padding at the end alone";
}

}  // namespace
}  // namespace nearfar
