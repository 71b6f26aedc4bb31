#include "base/error.h"
#include "base/text.h"
#include "cli/options_parts.h"
#include "work/check_client.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <thread>
#include <utility>

namespace nearfar {
namespace {
using nlohmann::json;
namespace fs = std::filesystem;

struct CheckArguments {
  fs::path file;
  wire::CheckJob job{.device = "all", .tolerance = 1e-5, .seconds = 30, .jobs = 0};
  bool list = false, json = false;
};

/// The table of docs/plugin-check.md, or as JSON.
int list_checks(bool as_json) {
  const wire::CheckFacts facts = engine_check({.device = "cpu"});
  if (as_json) {
    fmt::print("{}\n", wire::to_json(facts.promises).dump(2));
    return 0;
  }
  const std::map<std::string, std::string> of{{"all", "all"},
                                              {"scores", "postprocessors"},
                                              {"features", "postprocessors on features"},
                                              {"network", "postprocessors that look inside"},
                                              {"losses", "losses"}};
  fmt::print("| check | of | on | what holds for a plugin that passes |\n|---|---|---|---|\n");
  for (const wire::CheckPromise& row : facts.promises) {
    fmt::print("| `{}` | {} | {} | {} |\n", row.name, of.at(row.concerns),
               row.devices == "both"  ? "CPU, accelerator"
               : row.devices == "cpu" ? "CPU"
                                      : "accelerator",
               row.promise);
  }
  return 0;
}

/// What DESIGN says of the document: who reads it need not know of the engine's other fields.
json document_of(const wire::CheckFacts& facts) {
  json document = wire::to_json(facts);
  document.erase("promises");
  document.erase("passed");
  return document;
}

/// Checks that are skipped for one reason are told once, or a plugin that does not load would fill the screen.
void print_rows(const wire::CheckFacts& facts, const fs::path& file) {
  std::map<std::string, int> counts, skipped;
  double seconds = 0;
  for (const wire::CheckFinding& row : facts.checks) {
    if (row.status == "skip") ++skipped[row.message];
  }
  for (const wire::CheckFinding& row : facts.checks) {
    ++counts[row.status];
    seconds += row.seconds;
    if (row.status == "skip" && skipped[row.message] != 1) {
      const int more = std::exchange(skipped[row.message], 0) - 1;
      if (more > 0) fmt::print("skip   {} and {} more\n       {}\n", row.name, more, row.message);
      continue;
    }
    fmt::print("{:<6} {:<24} {}\n", row.status, row.name, row.device);
    if (row.status != "pass" && !row.message.empty()) fmt::print("       {}\n", row.message);
    if (!row.reproduce.empty() && row.status != "warn") fmt::print("       reproduce: {}\n", row.reproduce);
  }
  std::vector<std::string> parts;
  for (const char* status : {"pass", "warn", "skip", "fail", "crash", "hang"}) {
    if (counts[status] > 0) parts.push_back(fmt::format("{} {}", counts[status], status));
  }
  const std::string name = facts.plugin.empty() ? file.string() : facts.plugin + " " + facts.version;
  fmt::print("{}: {} ({:.1f} s of checks)\n", name, join(parts, ", "), seconds);
}

int plugin_check_verb(const CheckArguments& arguments) {
  if (arguments.list) return list_checks(arguments.json);
  if (arguments.file.empty())
    throw Error(ErrorKind::config, "no plugin to check; give a .so file, or --list to see what is checked");
  wire::CheckJob job = arguments.job;
  job.file = fs::absolute(arguments.file).string();
  if (job.jobs <= 0) job.jobs = std::max(1U, std::thread::hardware_concurrency());
  const wire::CheckFacts facts = engine_check(job);
  if (arguments.json) {
    // A stranger's text may be in any encoding.
    fmt::print("{}\n", document_of(facts).dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_rows(facts, arguments.file);
  }
  return facts.passed ? 0 : exit_code(ErrorKind::plugin);
}

}  // namespace

Action declare_plugin_check(CLI::App& verb) {
  const auto arguments = std::make_shared<CheckArguments>();
  wire::CheckJob& job = arguments->job;
  verb.add_option("file", arguments->file, "the plugin's .so");
  verb.add_option("-p", job.assignments, "parameter, key=value; may be repeated")->allow_extra_args(false);
  verb.add_option("--only", job.only, "regular expression: checks whose names it is found in");
  verb.add_option("--device", job.device, "cpu, fake (an accelerator that this machine need not have) or all")
      ->check(CLI::IsMember({"cpu", "fake", "all"}));
  verb.add_option("--tolerance", job.tolerance, "of numbers that should be equal, relative to the largest of them")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--timeout", job.seconds, "seconds that one check may take")->check(CLI::PositiveNumber);
  verb.add_option("--jobs,-j", job.jobs, "checks at a time; 0 = one a core");
  verb.add_flag("--in-process", job.in_process, "without a process for each check, for debuggers and sanitizers");
  verb.add_flag("--list", arguments->list, "every check, as the table of the documentation");
  add_json(verb, arguments->json);
  return [arguments] { return plugin_check_verb(*arguments); };
}

}  // namespace nearfar
