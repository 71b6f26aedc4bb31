#pragma once
/// Copies of built plugins with something changed, for tests of what reads them.
#include "base/files.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace nearfar::testing {

inline std::filesystem::path good_plugin(const std::string& name) {
  return binary_dir() / "lib/nearfar/plugins" / (name + ".so");
}
inline std::filesystem::path bad_plugin(const std::string& name) {
  return binary_dir() / "lib/nearfar/bad_plugins" / (name + ".so");
}
/// Refused by its file alone.
inline std::filesystem::path refused_plugin(const std::string& name) { return bad_plugin("refused/" + name); }

inline void write(const std::filesystem::path& file, std::string_view content) {
  std::ofstream(file, std::ios::binary) << content;
}

/// `content` with the first `from` replaced by `to` of the same length, which must be there.
inline std::string patched(std::string content, std::string_view from, std::string_view to) {
  EXPECT_EQ(from.size(), to.size());
  const std::size_t at = content.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) content.replace(at, from.size(), to);
  return content;
}

}  // namespace nearfar::testing
