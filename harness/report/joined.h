#pragma once
/// Private to report/.
#include "base/text.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// In the set's order, with `separator` between.
inline std::string joined(const std::set<std::string>& texts, std::string_view separator) {
  return join(std::vector<std::string>(texts.begin(), texts.end()), separator);
}

}  // namespace nearfar
