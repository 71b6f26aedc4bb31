#pragma once
/// Private to report/: the map from published names to our keys. Pure but for reading the file; safe from any thread.
#include "report/published.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

class PublishedMap {
 public:
  struct Line {
    std::string kind = {};            ///< "benchmark", "training", "postprocessor" or "architecture"
    std::string name = {}, key = {};  ///< as published, ours
    std::string benchmark = {},
                training = {};             ///< only for this one (benchmark: ours, training: as published); "" = any
    std::vector<std::string> params = {};  ///< as PublishedRow::postprocessor_params; never empty
    std::string where = {};                ///< "FILE:LINE"
  };

  /// Error(data) at FILE:LINE: an unknown kind, a line twice.
  static PublishedMap read(const std::filesystem::path& file);

  /// The line with the most conditions that hold; nullptr if the name is not in the map. `benchmark`: ours.
  const Line* find(std::string_view kind, std::string_view name, std::string_view benchmark,
                   std::string_view training) const;
  /// In the order of the file.
  const std::vector<Line>& lines() const { return lines_; }

 private:
  std::vector<Line> lines_;
};

}  // namespace nearfar
