#pragma once
/// Config files in a folder that cleans up, and the message of what a call throws.
#include "base/error.h"
#include "base/files.h"
#include "config/experiment.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar::testing {

class ConfigFiles : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    const std::filesystem::path file = folder_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }
  /// The experiment of one file that holds `content`.
  Experiment load(std::string_view content, const std::vector<std::string>& overrides = {}) const {
    return load_experiment({write("experiment.toml", content)}, overrides);
  }
  /// The message of the Error(config) that loading it throws, with the folder's path cut off.
  std::string refusal(std::string_view content, const std::vector<std::string>& overrides = {}) const {
    try {
      load(content, overrides);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return without_folder(error.what());
    }
    ADD_FAILURE() << "nothing was thrown for:\n" << content;
    return "";
  }
  std::string without_folder(std::string text) const {
    const std::string prefix = folder_.path().string() + "/";
    for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix))
      text.erase(at, prefix.size());
    return text;
  }
  TempDir folder_;
};

}  // namespace nearfar::testing
