#include "store/dialect.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace nearfar {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kWords = {{
    {"CROSS JOIN", "JOIN"},
    {"group_concat(", "string_agg("},
    {"char(", "chr("},
    {"/*lock or skip*/", "FOR NO KEY UPDATE SKIP LOCKED"},
}};
constexpr std::string_view kHint = "INDEXED BY ";

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// "12" of "12 AND …".
std::string_view digits_of(std::string_view text) {
  const auto end = std::ranges::find_if(text, [](char c) { return c < '0' || c > '9'; });
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

}  // namespace

std::string to_postgres(std::string_view sql) {
  std::string result;
  int largest = 0;
  while (!sql.empty()) {
    std::size_t taken = 1;
    const bool word_begins = result.empty() || !is_word(result.back());
    const auto word =
        std::ranges::find_if(kWords, [&](const auto& pair) { return word_begins && sql.starts_with(pair.first); });
    if (sql[0] == '\'') {
      taken = std::min(sql.find('\'', 1), sql.size() - 1) + 1;
      result += sql.substr(0, taken);
    } else if (sql[0] == '?') {
      const std::string_view digits = digits_of(sql.substr(1));
      const int number = digits.empty() ? largest + 1 : std::stoi(std::string(digits));
      largest = std::max(largest, number);
      result += "$" + std::to_string(number);
      taken += digits.size();
    } else if (word != kWords.end()) {
      result += word->second;
      taken = word->first.size();
    } else if (word_begins && sql.starts_with(kHint)) {
      taken = kHint.size();
      while (taken < sql.size() && is_word(sql[taken])) ++taken;
    } else {
      result += sql[0];
    }
    sql.remove_prefix(taken);
  }
  return result;
}

}  // namespace nearfar
