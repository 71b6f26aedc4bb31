#include "base/libtorch.h"

#include "base/error.h"
#include "base/files.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// A variable of the environment, set back at the end.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* now = std::getenv(name)) before_ = now;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::setenv(name_, before_.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};

std::string refusal() {
  try {
    libtorch();
  } catch (const Error& error) {
    EXPECT_EQ(exit_code(error.kind()), 3);
    return error.what();
  }
  return "none";
}

/// A folder that looks like LibTorch from outside.
void make_torch(const fs::path& folder) { write_file_atomic(folder / "lib/libtorch_cpu.so", ""); }

void write_header(const fs::path& folder, const std::string& major, const std::string& minor) {
  write_file_atomic(folder / "include/torch/headeronly/version.h", "#pragma once\n#define TORCH_VERSION_MAJOR " +
                                                                       major + "\n#define TORCH_VERSION_MINOR " +
                                                                       minor + "\n#define TORCH_VERSION_PATCH 0\n");
}

TEST(LibTorch, IsLookedForWhereItIsAskedForAndNowhereElse) {
  const TempDir folder;
  make_torch(folder.path() / "deps/torch");
  const Variable deps("NEARFAR_DEPS", (folder.path() / "deps").string());
  {
    const Variable given("NEARFAR_TORCH_DIR", "");
    EXPECT_EQ(libtorch(), folder.path() / "deps/torch");
  }
  const Variable given("NEARFAR_TORCH_DIR", (folder.path() / "gone").string());
  const std::string why = refusal();
  EXPECT_NE(
      why.find("found no lib/libtorch_cpu.so in " + (folder.path() / "gone").string() + " (NEARFAR_TORCH_DIR); run"),
      std::string::npos)
      << why;
}

TEST(LibTorch, OfAnotherVersionIsRefusedByItsHeaderOrItsPythonFile) {
  const TempDir folder;
  const Variable given("NEARFAR_TORCH_DIR", folder.path().string());
  make_torch(folder.path());
  EXPECT_EQ(refusal(), "none");  // libraries alone do not tell
  write_file_atomic(folder.path() / "version.py", "from typing import Optional\n__version__ = '1.2.3+cu130'\n");
  EXPECT_NE(refusal().find("of version 1.2.3; this nearfar"), std::string::npos) << refusal();
  write_header(folder.path(), "9", "7");
  EXPECT_NE(refusal().find("of version 9.7.0; this nearfar"), std::string::npos) << refusal();
}

TEST(LibTorch, GoesBeforeWhatTheLibraryPathHolds) {
  const TempDir folder;
  make_torch(folder.path());
  const Variable given("NEARFAR_TORCH_DIR", folder.path().string());
  const Variable engine("NEARFAR_ENGINE", "");
  const std::string own = (folder.path() / "lib").string();
  {
    const Variable path("LD_LIBRARY_PATH", "");
    EXPECT_EQ(engine_library_path(), own);
  }
  const Variable path("LD_LIBRARY_PATH", "/elsewhere");
  EXPECT_EQ(engine_library_path(), own + ":/elsewhere");
  const Variable another("NEARFAR_ENGINE", "/another/engine");
  EXPECT_EQ(engine_library_path(), "/elsewhere");
}

}  // namespace
}  // namespace nearfar
