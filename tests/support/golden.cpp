#include "support/golden.h"

#include "base/files.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace nearfar::testing {

std::filesystem::path source_dir() { return NEARFAR_SOURCE_DIR; }
std::filesystem::path binary_dir() { return NEARFAR_BINARY_DIR; }

std::optional<std::filesystem::path> golden(const std::filesystem::path& name) {
  const char* given = std::getenv("NEARFAR_GOLDEN");
  const std::filesystem::path shared =
      given != nullptr && *given != '\0' ? std::filesystem::path(given) : source_dir() / "../shared/golden";
  for (const auto& folder : {shared, source_dir() / "tests/golden"}) {
    if (std::filesystem::exists(folder / name)) return folder / name;
  }
  return std::nullopt;
}

void expect_golden(const std::string& made, const std::filesystem::path& name) {
  const std::filesystem::path file = source_dir() / name;
  if (std::getenv("NEARFAR_WRITE_GOLDEN") != nullptr) write_file_atomic(file, made);
  ASSERT_TRUE(std::filesystem::exists(file)) << name << " is not there; ./run golden writes it";
  EXPECT_EQ(made, read_file(file)) << name << ": if this is what it shall be, ./run golden writes it anew";
}

}  // namespace nearfar::testing
