#include "data/feature_sets.h"

#include "base/error.h"
#include "base/set_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

bool is_set(const fs::path& folder) {
  return fs::is_regular_file(folder / "features.npy") || fs::is_regular_file(folder / "logits.npy");
}

}  // namespace

std::vector<std::string> feature_folder_sets(const fs::path& folder) try {
  std::vector<std::string> found;
  for (const std::string_view name : sets::kFixed) {
    if (is_set(folder / name)) found.emplace_back(name);
  }
  for (const std::string_view group : groups::kNamed) {
    if (!fs::is_directory(folder / group)) continue;
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder / group)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with('.') && is_set(entry.path())) names.push_back(fmt::format("{}/{}", group, name));
    }
    std::sort(names.begin(), names.end());
    found.insert(found.end(), names.begin(), names.end());
  }
  return found;
} catch (const fs::filesystem_error& error) {
  throw Error(ErrorKind::data, fmt::format("{}: the image sets of the feature folder cannot be listed: {}",
                                           folder.string(), error.code().message()));
}

}  // namespace nearfar
