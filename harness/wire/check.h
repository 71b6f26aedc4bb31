#pragma once
/// Of the verb `check`: what the parent asks of a plugin's file, and what is found. Plain values.
#include "wire/fields.h"

namespace nearfar::wire {

struct CheckJob {
  std::string file = {};                      ///< absolute; empty: only the list of checks is wanted
  std::vector<std::string> assignments = {};  ///< "k=5"
  std::string only = {};                      ///< regular expression of names
  std::string device = {};                    ///< "cpu", "fake", "all"
  double tolerance = 0, seconds = 0;          ///< seconds: for one check
  std::int64_t jobs = 1;
  bool in_process = false;
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("file", m.file);
    visit("assignments", m.assignments);
    visit("only", m.only);
    visit("device", m.device);
    visit("tolerance", m.tolerance);
    visit("seconds", m.seconds);
    visit("jobs", m.jobs);
    visit("in_process", m.in_process);
  }
};

/// One row of what `nearfar plugin check --json` prints.
struct CheckFinding {
  std::string name = {}, device = {}, status = {}, message = {};
  double seconds = 0;
  std::string reproduce = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("device", m.device);
    visit("status", m.status);
    visit("message", m.message);
    visit("seconds", m.seconds);
    visit("reproduce", m.reproduce);
  }
};

/// What there is to check.
struct CheckPromise {
  std::string name = {}, promise = {};
  std::string concerns = {};  ///< "all", "scores", "features", "network", "losses"
  std::string devices = {};   ///< "both", "cpu", "accelerator"
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("promise", m.promise);
    visit("concerns", m.concerns);
    visit("devices", m.devices);
  }
};

/// The answer. `checks` of a file; `promises` where none was named.
struct CheckFacts {
  std::string plugin = {}, version = {}, tier = {};
  bool passed = true;
  std::vector<CheckFinding> checks = {};
  std::vector<CheckPromise> promises = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("plugin", m.plugin);
    visit("version", m.version);
    visit("tier", m.tier);
    visit("passed", m.passed);
    visit("checks", m.checks);
    visit("promises", m.promises);
  }
};

}  // namespace nearfar::wire
