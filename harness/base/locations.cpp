#include "base/locations.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace nearfar {
namespace fs = std::filesystem;

fs::path prefix() {
  static const fs::path result = [] {
    const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();  // bin, or the engine's
    const bool engine = folder.filename() == "nearfar" && folder.parent_path().filename() == "libexec";
    return (engine ? folder.parent_path() : folder).parent_path();
  }();
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

fs::path fetch_program() { return prefix() / "libexec/nearfar/fetch_libtorch"; }

fs::path fetched() {
  const char* given = std::getenv("NEARFAR_DEPS");
  return given != nullptr && *given != '\0' ? fs::path(given) : prefix() / "lib/nearfar";
}

fs::path share() {
  const char* given = std::getenv("NEARFAR_SHARE");
  return given != nullptr && *given != '\0' ? fs::path(given) : prefix() / "share/nearfar";
}

fs::path experiment_file(const std::string& word) {
  std::error_code ignored;
  if (word.find('/') != std::string::npos || word.find('.') != std::string::npos || fs::exists(word, ignored))
    return word;
  std::vector<std::string> names;
  for (const fs::path& folder : {fs::path("configs/experiments"), share() / "configs/experiments"}) {
    if (const fs::path file = folder / (word + ".toml"); fs::is_regular_file(file, ignored)) return file;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  throw Error(ErrorKind::config,
              fmt::format("{}: there is no such file and no such shipped experiment{}; an experiment is "
                          "a .toml file, or one of: {}",
                          word, suggestion(word, names), join(names, ", ")));
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
