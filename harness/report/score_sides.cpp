#include "report/score_sides.h"

#include <utility>

namespace nearfar {

ScoreSides score_sides(Scores scores, std::string_view protocol) {
  ScoreSides sides;
  if (const auto test = scores.find("test"); test != scores.end()) sides.id = std::move(test->second);
  for (auto& [set, values] : scores) {
    if (set == "test") continue;
    if (protocol == "fsood" && set.starts_with("csid/")) {
      sides.id.insert(sides.id.end(), values.begin(), values.end());
    } else {
      sides.ood.emplace(set, std::move(values));
    }
  }
  return sides;
}

}  // namespace nearfar
