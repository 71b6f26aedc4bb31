#pragma once
/// Where a value of an experiment comes from: which files and overrides set it, in the order in which later ones win.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct Origin {
  std::string where;  ///< "configs/recipes/quickstart.toml:10:6", "override 'train.lr=0.1'"
  std::string value;  ///< as text; a table's keys with theirs
};

struct Explanation {
  std::string key;                ///< under its full name
  std::vector<Origin> origins;    ///< the last one holds; empty: nobody sets it
  std::string default_text;       ///< of a key of [train]; "" where it is not known here
  std::vector<std::string> axis;  ///< values that a sweep gives it; empty: it is no axis
};

/// Error(config) for a file or an override that cannot be read, or a key that names nothing, with the nearest.
Explanation explain(const std::vector<std::filesystem::path>& files, const std::vector<std::string>& overrides,
                    std::string_view key);

}  // namespace nearfar
