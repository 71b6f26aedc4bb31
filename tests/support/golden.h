#pragma once
/// Where test data and build products lie. Used by tests only.
#include <filesystem>
#include <optional>
#include <string>

namespace nearfar::testing {

/// ${NEARFAR_GOLDEN:-../shared/golden}/name, else tests/golden/name; nullopt where neither exists: the test then says
/// so and skips.
std::optional<std::filesystem::path> golden(const std::filesystem::path& name);

/// The source folder and the build folder of this build.
std::filesystem::path source_dir();
std::filesystem::path binary_dir();

/// What a form makes, against the file `name` of the source folder that somebody has looked at. With
/// NEARFAR_WRITE_GOLDEN set (`./run golden` does) the file is written anew.
void expect_golden(const std::string& made, const std::filesystem::path& name);

}  // namespace nearfar::testing
