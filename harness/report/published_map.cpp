#include "report/published_map.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "report/csv_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace nearfar {
namespace {

constexpr std::array<std::string_view, 4> kKinds = {"benchmark", "training", "postprocessor", "architecture"};

/// "tune=openood|default" -> {"tune=openood", ""}; the defaults where nothing is said.
std::vector<std::string> params_of(const std::string& text) {
  std::vector<std::string> params = split(text, '|');
  for (std::string& entry : params) {
    entry = std::string(trim(entry));
    if (entry == "default") entry.clear();
  }
  if (params.empty()) params.emplace_back();
  return params;
}

int conditions(const PublishedMap::Line& line) {
  return (line.benchmark.empty() ? 0 : 1) + (line.training.empty() ? 0 : 1);
}

}  // namespace

PublishedMap PublishedMap::read(const std::filesystem::path& file) {
  const std::vector<std::string> header = {"kind", "name", "key", "benchmark", "training", "params"};
  const CsvTable table = read_csv(read_file(file), file.string(), {&header, 1});
  PublishedMap map;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::string> known;
  for (const CsvRow& row : table.rows) {
    const std::vector<std::string>& f = row.fields;
    if (std::ranges::find(kKinds, f[0]) == kKinds.end())
      throw Error(ErrorKind::data,
                  fmt::format("{}: kind '{}'; expected {}", row.where, f[0],
                              fmt::format("{}, {}, {} or {}", kKinds[0], kKinds[1], kKinds[2], kKinds[3])));
    if (f[1].empty()) throw Error(ErrorKind::data, row.where + ": the name is empty");
    const auto [first, is_new] = known.try_emplace({f[0], f[1], f[3], f[4]}, row.where);
    if (!is_new)
      throw Error(ErrorKind::data,
                  fmt::format("{}: {} '{}' is there already, at {}", row.where, f[0], f[1], first->second));
    map.lines_.push_back({f[0], f[1], f[2], f[3], f[4], params_of(f[5]), row.where});
  }
  return map;
}

const PublishedMap::Line* PublishedMap::find(std::string_view kind, std::string_view name, std::string_view benchmark,
                                             std::string_view training) const {
  const Line* best = nullptr;
  for (const Line& line : lines_) {
    if (line.kind != kind || line.name != name) continue;
    if (!line.benchmark.empty() && line.benchmark != benchmark) continue;
    if (!line.training.empty() && line.training != training) continue;
    if (best == nullptr || conditions(line) > conditions(*best)) best = &line;
  }
  return best;
}

}  // namespace nearfar
