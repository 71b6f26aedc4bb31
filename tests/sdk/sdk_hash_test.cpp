#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "support/golden.h"

#include <nearfar/abi.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

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

// A header that the hash leaves out may change under plugins that are then accepted though they were built with the
// old.
TEST(Sdk, TheHashIsOfEveryHeaderInTheFolder) {
  std::map<std::string, std::string> lines;  // by path, as CMake sorts
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(testing::source_dir() / "harness/sdk/nearfar")) {
    if (entry.is_regular_file())
      lines[entry.path().string()] = entry.path().filename().string() + " " + sha256(read_file(entry.path())) + "\n";
  }
  std::string all;
  for (const auto& [path, line] : lines) all += line;
  EXPECT_EQ(sha256(all).substr(0, 16), NEARFAR_SDK_HASH);
}

}  // namespace
}  // namespace nearfar
