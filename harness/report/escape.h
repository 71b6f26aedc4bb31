#pragma once
/// Private to report/: names as text of a format, whatever characters they have. Pure functions.
#include <string>
#include <string_view>

namespace nearfar {

/// For a cell of a GitHub table: it does not end the cell and is no markup.
std::string markdown_cell(std::string text);
/// As text of LaTeX, on one line.
std::string latex_text(std::string_view text);

}  // namespace nearfar
