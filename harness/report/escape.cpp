#include "report/escape.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace nearfar {

std::string markdown_cell(std::string text) {
  constexpr std::array<std::pair<const char*, const char*>, 8> kEscapes = {{{"\\", "\\\\"},
                                                                            {"|", "\\|"},
                                                                            {"&", "&amp;"},
                                                                            {"<", "&lt;"},
                                                                            {">", "&gt;"},
                                                                            {"`", "\\`"},
                                                                            {"*", "\\*"},
                                                                            {"\n", " "}}};
  for (const auto& [from, to] : kEscapes) text = replace_all(std::move(text), from, to);
  return text;
}

std::string latex_text(std::string_view text) {
  constexpr std::pair<char, std::string_view> kEscapes[] = {{'\\', "\\textbackslash{}"},
                                                            {'~', "\\textasciitilde{}"},
                                                            {'^', "\\textasciicircum{}"},
                                                            {'<', "\\textless{}"},
                                                            {'>', "\\textgreater{}"},
                                                            {'|', "\\textbar{}"},
                                                            {'"', "\\textquotedbl{}"},
                                                            {'{', "\\{"},
                                                            {'}', "\\}"},
                                                            {'$', "\\$"},
                                                            {'&', "\\&"},
                                                            {'#', "\\#"},
                                                            {'_', "\\_"},
                                                            {'%', "\\%"}};
  std::string escaped;
  for (const char c : text) {
    const auto* escape =
        std::find_if(std::begin(kEscapes), std::end(kEscapes), [&](const auto& e) { return e.first == c; });
    if (escape != std::end(kEscapes)) {
      escaped += escape->second;
    } else {
      escaped += static_cast<unsigned char>(c) < ' ' ? ' ' : c;  // a line's end would end a row, or a paragraph
    }
  }
  return escaped;
}

}  // namespace nearfar
