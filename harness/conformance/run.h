#pragma once
/// Runs the checks that concern a plugin. Each has a process, forked from this one before it has threads: LibTorch is
/// loaded once, and a plugin that crashes, hangs, exits or eats memory costs one check. This process itself runs no
/// code of the plugin (but with `in_process`). One thread.
#include "conformance/check.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace nearfar {

struct CheckRequest {
  std::filesystem::path file = {};
  std::vector<std::string> assignments = {};  ///< "k=5"
  std::string only = {};                      ///< regular expression: names of the checks to run; "" = all
  std::string device = "all";                 ///< "cpu", "fake" or "all"
  double tolerance = 1e-5;                    ///< of numbers that should be equal, relative to the largest of them
  double seconds = 30;                        ///< for one check
  int jobs = 1;                               ///< checks at a time
  bool in_process = false;                    ///< without processes: a crash ends this one, for debuggers
};

struct CheckRow {
  std::string name = {}, device = {};
  CheckStatus status = CheckStatus::pass;
  std::string message = {};
  double seconds = 0;
  std::string reproduce = {};  ///< a shell command; empty where there is nothing to reproduce
};

struct CheckReport {
  std::string plugin = {}, version = {}, tier = {};  ///< empty where the library cannot be loaded
  std::vector<CheckRow> rows = {};
  bool passed() const;  ///< no fail, crash or hang
};

/// Error(config) for a regular expression that is none, one that fits no check, or an unknown device. What is wrong
/// with the plugin is in the rows.
CheckReport run_checks(const CheckRequest& request);

/// One check in this process, as `reproduce` asks for. Error(config) where there is no such check.
CheckRow run_one_check(const CheckRequest& request, const std::string& name);

}  // namespace nearfar
