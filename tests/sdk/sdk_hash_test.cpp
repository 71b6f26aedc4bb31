#include "base/files.h"
#include "base/text.h"
#include "support/golden.h"

#include <nearfar/abi.h>

#include <gtest/gtest.h>

namespace nearfar {
namespace {

// The headers cross a binary boundary. Whoever changes one decides whether old plugins would misunderstand it.
TEST(Sdk, HeadersAreThoseOfThisApiVersion) {
  const auto words = split(trim(read_file(testing::source_dir() / "tests/golden/sdk_hash.txt")), ' ');
  ASSERT_EQ(words.size(), 2U);
  EXPECT_EQ(words[1], NEARFAR_SDK_HASH)
      << "a header in harness/sdk/nearfar has changed: raise NEARFAR_API_VERSION in abi.h if its meaning did, "
         "write a decision note, then run ./run golden";
  EXPECT_EQ(words[0], std::to_string(NEARFAR_API_VERSION)) << "run ./run golden";
}

}  // namespace
}  // namespace nearfar
