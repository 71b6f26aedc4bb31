#pragma once
/// Scalars of YAML that every reader of YAML 1.1 and 1.2 takes for what they are. Pure functions.
#include <string>
#include <string_view>

namespace nearfar {

/// In double quotes on one line, whatever the text holds: no text becomes a number, a date, a key or a second line.
/// What is not UTF-8 is replaced.
std::string yaml_text(std::string_view text);
/// The same double when read. With a point: PyYAML takes 1e-06 for text.
std::string yaml_number(double value);

}  // namespace nearfar
