#include "cli/figures.h"

#include "base/files.h"
#include "base/hash.h"

#include <fmt/format.h>

namespace nearfar {

std::string safe_file_name(std::string_view text) {
  constexpr std::size_t kMost = 80;
  std::string name;
  for (const char c : text.substr(0, kMost)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || (c == '.' && !name.empty());
    name += plain ? c : '-';
  }
  return name == text && !name.empty() ? name : name + "-" + sha256(text).substr(0, 8);
}

void write_figures(const std::filesystem::path& folder, const std::string& prefix,
                   std::span<const plot::Figure> figures) {
  for (const plot::Figure& figure : figures) {
    const std::string name = safe_file_name(prefix) + "-" + safe_file_name(figure.id);
    for (const auto& [ending, content] : {std::pair(".svg", &figure.svg), std::pair(".csv", &figure.csv)}) {
      const std::filesystem::path file = folder / (name + ending);
      write_file_atomic(file, *content);
      fmt::print("wrote {}\n", file.string());
    }
  }
}

std::vector<CurvePoint> read_curves(const ResultStore& results, const std::string& model_key) {
  const auto model = results.find(model_key);
  return model ? model->outcome.curve : std::vector<CurvePoint>{};
}

}  // namespace nearfar
