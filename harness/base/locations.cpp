#include "base/locations.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace nearfar {
namespace fs = std::filesystem;

fs::path prefix() {
  static const fs::path result = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  return result;
}

fs::path engine_program() {
  if (const char* given = std::getenv("NEARFAR_ENGINE"); given != nullptr && *given != '\0') return given;
  const fs::path program = prefix() / "libexec/nearfar/nearfar-engine";
  if (!fs::exists(program)) {
    throw Error(
        ErrorKind::internal,
        fmt::format("{}: not found; nearfar needs its engine beside it: build or install all of it", program.string()));
  }
  return program;
}

fs::path installed_plugins() { return prefix() / "lib/nearfar/plugins"; }

fs::path share() {
  const char* given = std::getenv("NEARFAR_SHARE");
  return given != nullptr && *given != '\0' ? fs::path(given) : prefix() / "share/nearfar";
}

std::vector<fs::path> benchmark_folders(const std::vector<fs::path>& experiment_files) {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& folder) {
    std::error_code code;
    const fs::path real = fs::canonical(folder, code);
    if (!code && fs::is_directory(real) && std::find(folders.begin(), folders.end(), real) == folders.end())
      folders.push_back(real);
  };
  for (const fs::path& file : experiment_files) {
    const fs::path folder = fs::absolute(file).parent_path();
    add(folder / "benchmarks");
    add(folder.parent_path() / "benchmarks");
  }
  add("configs/benchmarks");
  add(share() / "configs/benchmarks");
  return folders;
}

}  // namespace nearfar
