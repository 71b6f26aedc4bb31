#include "report/plugin_bench.h"

#include "base/error.h"
#include "base/locations.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/bench_sizes.h"
#include "cli/options_parts.h"
#include "cli/report_target.h"
#include "work/engine_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

struct BenchArguments {
  std::string plugin, against, kind;
  std::vector<std::string> sizes, assignments, against_assignments;
  std::string device = "cpu", memory_limit;
  int threads = 0;  ///< 0 = one a core
  std::int64_t repeat = 7;
  double timeout = 1800;
  Paths plugin_dirs;
};

/// A file is meant by what no name has: a folder, or the suffix of a library.
std::string plugin_word(const std::string& word) {
  return word.find('/') != std::string::npos || word.ends_with(".so") ? fs::absolute(word).string() : word;
}

std::int64_t cores() { return std::max(1U, std::thread::hardware_concurrency()); }

/// "" where the system does not say.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (line.starts_with("model name") && colon != std::string::npos) return std::string(trim(line.substr(colon + 1)));
  }
  return "";
}

double load_average() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : 0;
}

wire::BenchJob job_of(const BenchArguments& arguments) {
  wire::BenchJob job{
      .subject = {plugin_word(arguments.plugin), arguments.assignments},
      .reference = {arguments.against.empty() ? "" : plugin_word(arguments.against), arguments.against_assignments},
      .kind = arguments.kind,
      .installed = installed_plugins().string(),
      .repeat = arguments.repeat,
      .compute = {.device = arguments.device, .threads = arguments.threads > 0 ? arguments.threads : cores()}};
  for (const fs::path& directory : arguments.plugin_dirs) job.directories.push_back(fs::absolute(directory).string());
  return job;
}

std::int64_t memory_of(const BenchArguments& arguments) {
  if (arguments.memory_limit.empty()) return memory_limit();
  const std::optional<std::int64_t> bytes = bytes_from_text(arguments.memory_limit);
  if (bytes && *bytes > 0) return *bytes;
  throw Error(ErrorKind::config,
              fmt::format("--memory-limit: '{}' is no size; expected like 8GiB", arguments.memory_limit));
}

BenchedPlugin plugin_of(const wire::BenchPlugin& facts) {
  return {.name = facts.name,
          .version = facts.version,
          .tier = facts.tier,
          .path = facts.path,
          .source_hash = facts.source_hash,
          .binary_hash = facts.binary_hash,
          .compiler = facts.compiler,
          .params = facts.params};
}

std::optional<BenchedSide> side_of(const std::optional<wire::BenchSamples>& samples) {
  if (!samples) return std::nullopt;
  return BenchedSide{samples->seconds, samples->calls, samples->peak_bytes};
}

BenchedSize size_of(const wire::BenchSize& size, const wire::BenchFacts& facts) {
  BenchedSize measured{
      .name = size.name, .train = size.train, .width = size.width, .classes = size.classes, .rows = size.rows};
  for (const wire::BenchMeasure& measure : facts.measures)
    measured.measures.push_back({measure.name, measure.rows, side_of(measure.subject), side_of(measure.reference)});
  return measured;
}

PluginBench bench_of(const wire::BenchJob& job, const wire::BenchFacts& facts) {
  return {.kind = facts.kind,
          .input = facts.input,
          .subject = plugin_of(facts.subject),
          .reference = plugin_of(facts.reference),
          .machine = {.cpu = processor_name(),
                      .cpu_capability = facts.cpu_capability,
                      .device = facts.device.empty() ? "cpu" : facts.device,
                      .cores = cores(),
                      .threads = job.compute.threads,
                      .load = load_average(),
                      .nearfar = NEARFAR_VERSION,
                      .build_type = facts.build_type,
                      .torch = facts.torch},
          .repeat = job.repeat};
}

/// One engine a size: each begins with fresh memory, and what is measured before one fails is not lost on a person who
/// watches.
PluginBench measure(const BenchArguments& arguments) {
  wire::BenchJob job = job_of(arguments);
  const AskLimits limits{.threads = static_cast<int>(job.compute.threads),
                         .memory_bytes = memory_of(arguments),
                         .seconds = arguments.timeout,
                         .crash = ErrorKind::plugin};
  const wire::BenchFacts what = engine_bench(job, limits);
  const std::vector<wire::BenchSize> sizes = bench_sizes(what.input, arguments.sizes);
  PluginBench bench = bench_of(job, what);
  for (const wire::BenchSize& size : sizes) {
    log_info(fmt::format("{} against {}: {} ({} of {})", what.subject.name, what.reference.name, size.name,
                         bench.sizes.size() + 1, sizes.size()));
    job.size = size;
    bench.sizes.push_back(size_of(size, engine_bench(job, limits)));
  }
  return bench;
}

int plugin_bench_verb(const BenchArguments& arguments, const std::string& json_target) {
  const PluginBench bench = measure(arguments);
  if (json_target != "-") fmt::print("{}", plugin_bench_text(bench));
  if (!json_target.empty()) put_form(json_target, plugin_bench_json(bench) + "\n");
  return 0;
}

}  // namespace

Action declare_plugin_bench(CLI::App& verb) {
  const auto bench = std::make_shared<BenchArguments>();
  verb.add_option("plugin", bench->plugin, "a plugin's file, or its name on the search path")->required();
  verb.add_option("--against", bench->against,
                  "another file or name (default: msp, knn or odin by what the method is given; ce or supcon by the "
                  "loss's head)");
  verb.add_option("--kind", bench->kind, "where a loss and a postprocessor have this name")
      ->check(CLI::IsMember({"postprocessor", "loss"}));
  verb.add_option(
          "--sizes", bench->sizes,
          "with commas: small, medium, large, or TRAINxWIDTHxCLASSES[xROWS]; of a loss BATCHxWIDTHxCLASSES; of a "
          "method that looks inside a network TRAINxROWS images")
      ->delimiter(',');
  verb.add_option("-p,--param", bench->assignments, "key=value; may be repeated")->allow_extra_args(false);
  verb.add_option("--against-param", bench->against_assignments,
                  "the same for the other one (default, where it is the same method: what -p says)")
      ->allow_extra_args(false);
  verb.add_option("--device", bench->device, "cpu or cuda");
  verb.add_option("--threads", bench->threads, "default: one a core")->check(CLI::Range(1, 1024));
  verb.add_option("--repeat", bench->repeat, "samples of each, taken in turn")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb.add_option("--timeout", bench->timeout, "seconds for one size; more, and it is ended")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb.add_option("--memory-limit", bench->memory_limit, "like 8GiB; more, and it is ended (default: all there is)");
  add_plugin_dirs(verb, bench->plugin_dirs);
  const auto json = std::make_shared<JsonForm>(verb);
  return [bench, json] { return plugin_bench_verb(*bench, json->target()); };
}

}  // namespace nearfar
