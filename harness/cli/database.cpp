#include "base/error.h"
#include "base/text.h"
#include "cli/verbs.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace fs = std::filesystem;

fs::path database_of(const DatabaseArguments& arguments) {
  if (!arguments.database.empty()) return arguments.database;
  if (!arguments.out.empty()) return arguments.out / "results.sqlite";
  std::vector<std::string> found;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator("out", code)) {
    if (fs::exists(entry.path() / "results.sqlite")) found.push_back((entry.path() / "results.sqlite").string());
  }
  if (found.empty())
    throw Error(ErrorKind::nothing,
                "there is no out/*/results.sqlite here; run an experiment first, or name a database with --db FILE");
  std::sort(found.begin(), found.end());
  if (found.size() > 1)
    throw Error(ErrorKind::config,
                fmt::format("several databases are here; name one with --db: {}", join(found, ", ")));
  return found.front();
}

}  // namespace nearfar
