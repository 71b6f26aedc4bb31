#pragma once
/// Where the forms of a report go.
#include <string>

namespace nearfar {

/// `target`: a file, written whole or not at all, or "-" for stdout. Error(data).
void put(const std::string& target, const std::string& content);

}  // namespace nearfar
