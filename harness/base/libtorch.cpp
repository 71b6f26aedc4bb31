#include "base/libtorch.h"

#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "base/text.h"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#ifndef NEARFAR_TORCH_VERSION
#error "NEARFAR_TORCH_VERSION comes from cmake/FindLibTorch.cmake"
#endif

namespace nearfar {
namespace {
namespace fs = std::filesystem;

constexpr const char* kLibrary = "lib/libtorch_cpu.so";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// What follows `key` on its line, up to a blank, quote or '+' (of "2.11.0+cpu"); "" if there is no such line.
std::string word_after(const std::string& text, const std::string& key) {
  const std::size_t at = text.find(key);
  if (at == std::string::npos) return "";
  const std::size_t begin = text.find_first_not_of(" '\"", at + key.size());
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_first_of(" '\"+\r\n", begin) - begin);
}

/// "2.11.0"; "" for a folder of libraries alone.
std::string version_of(const fs::path& torch) {
  std::error_code ignored;
  if (const fs::path header = torch / "include/torch/headeronly/version.h"; fs::is_regular_file(header, ignored)) {
    const std::string text = read_file(header);
    std::vector<std::string> parts;
    for (const char* part : {"MAJOR", "MINOR", "PATCH"})
      parts.push_back(word_after(text, fmt::format("#define TORCH_VERSION_{} ", part)));
    return join(parts, ".");
  }
  if (const fs::path python = torch / "version.py"; fs::is_regular_file(python, ignored))
    return word_after(read_file(python), "__version__ =");
  return "";
}

/// How to get the right one, as a line to copy.
std::string fix() {
  return fmt::format("run '{}', or set NEARFAR_TORCH_DIR to the folder 'torch' of LibTorch " NEARFAR_TORCH_VERSION
                     " (of its wheel, for example)",
                     fetch_program().string());
}

}  // namespace

fs::path libtorch() {
  std::vector<std::string> looked;
  const auto there = [&](const fs::path& folder) {
    std::error_code ignored;
    looked.push_back(folder.string());
    return fs::exists(folder / kLibrary, ignored);
  };
  fs::path found;
  if (const std::string given = variable("NEARFAR_TORCH_DIR"); !given.empty()) {
    // What somebody has asked for is not replaced by something else.
    if (there(given)) found = given;
  } else if (there(fetched() / "torch")) {
    found = fetched() / "torch";
  } else if (const fs::path packaged = prefix() / "lib/nearfar/torch"; there(packaged)) {
    found = packaged;
  }
  if (found.empty()) {
    throw Error(ErrorKind::internal,
                fmt::format("LibTorch is missing: found no {} in {}{}; {}", kLibrary, join(looked, " nor in "),
                            variable("NEARFAR_TORCH_DIR").empty() ? "" : " (NEARFAR_TORCH_DIR)", fix()));
  }
  if (const std::string version = version_of(found); !version.empty() && version != NEARFAR_TORCH_VERSION) {
    throw Error(ErrorKind::internal, fmt::format("{}: LibTorch is of version {}; this nearfar was built with "
                                                 "" NEARFAR_TORCH_VERSION " and runs with no other; {}",
                                                 found.string(), version, fix()));
  }
  return fs::absolute(found);
}

std::string engine_library_path() {
  const std::string before = variable("LD_LIBRARY_PATH");
  if (!variable("NEARFAR_ENGINE").empty()) return before;
  const std::string own = (libtorch() / "lib").string();
  return before.empty() ? own : own + ":" + before;
}

}  // namespace nearfar
