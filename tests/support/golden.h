#pragma once
/// Where test data and build products lie. Used by tests only.
#include <filesystem>
#include <optional>

namespace nearfar::testing {

/// ${NEARFAR_GOLDEN:-../shared/golden}/name, else tests/golden/name; nullopt where neither exists: the test then says
/// so and skips.
std::optional<std::filesystem::path> golden(const std::filesystem::path& name);

/// The source folder and the build folder of this build.
std::filesystem::path source_dir();
std::filesystem::path binary_dir();

}  // namespace nearfar::testing
