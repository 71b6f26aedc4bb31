#include "support/golden.h"

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

}  // namespace nearfar::testing
