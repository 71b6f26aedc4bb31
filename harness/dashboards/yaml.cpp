#include "dashboards/yaml.h"

#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace nearfar {

std::string yaml_text(std::string_view text) {
  using nlohmann::json;
  // A JSON string is one of YAML but for characters that YAML does not take as they are (DEL, C1, U+FFFE, U+FFFF) or
  // takes for the end of a line (U+0085, U+2028, U+2029).
  const std::string quoted = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  std::string result;
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    const auto byte = [&](std::size_t ahead) {
      return i + ahead < quoted.size() ? static_cast<unsigned char>(quoted[i + ahead]) : 0U;
    };
    const unsigned first = byte(0), second = byte(1), third = byte(2);
    if (first == 0x7f) {
      result += "\\x7F";
    } else if (first == 0xc2 && second < 0xa0) {
      result += fmt::format("\\x{:02X}", second);
      i += 1;
    } else if (first == 0xe2 && second == 0x80 && (third == 0xa8 || third == 0xa9)) {
      result += third == 0xa8 ? "\\u2028" : "\\u2029";
      i += 2;
    } else if (first == 0xef && second == 0xbf && third >= 0xbe) {
      result += third == 0xbe ? "\\uFFFE" : "\\uFFFF";
      i += 2;
    } else {
      result += quoted[i];
    }
  }
  return result;
}

std::string yaml_number(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  std::string text = number_text(value);
  const std::size_t exponent = text.find('e');
  if (text.find('.') == std::string::npos) text.insert(exponent == std::string::npos ? text.size() : exponent, ".0");
  return text;
}

}  // namespace nearfar
