#include "base/error.h"
#include "base/locations.h"
#include "base/progress.h"
#include "base/signals.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "config/document.h"
#include "config/overrides.h"
#include "data/benchmark.h"
#include "data/check.h"
#include "data/pack.h"
#include "data/synth.h"
#include "data/train_pack.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <thread>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

/// The keys of [data] in an experiment, from the command line alone.
LoadOptions options_of(const DataArguments& arguments) {
  Value document;
  for (const std::string& word : arguments.overrides) apply_override(document, word);
  Section top(&document, "the command line");
  Section data(top.find_table("data"), "data");
  LoadOptions options;
  std::string on_unreadable = "fail";
  data.read("root", options.data_root);
  data.read("allow_count_mismatch", options.allow_count_mismatch);
  data.read("limit", options.limit, 0);
  data.read("on_unreadable", on_unreadable, {"fail", "skip"});
  data.read("follow_links", options.follow_links);
  data.read("packed", options.packed);
  std::string identity = "contents";  // of a run; whoever copies its words here is not refused
  data.read("identity", identity, {"contents", "stat"});
  data.finish();
  top.finish();
  options.on_unreadable = on_unreadable == "skip" ? OnUnreadable::skip : OnUnreadable::fail;
  options.threads =
      arguments.threads > 0 ? arguments.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return options;
}

/// A bar whose length is known with the first report.
class ImageProgress {
 public:
  explicit ImageProgress(std::string note) : note_(std::move(note)) {}
  void operator()(std::int64_t done, std::int64_t total) {
    if (!bar_) bar_.emplace(total, "images");
    bar_->update(static_cast<double>(done), note_);
  }
  void line(const std::string& text) {
    if (bar_) bar_->finish();
    fmt::print(stderr, "{}\n", text);
  }

 private:
  std::string note_;
  std::optional<Progress> bar_;
};

std::string megabytes(std::int64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

/// ImageNet's training images are not everywhere: the other sets can be checked without them.
void keep_sets(Benchmark& benchmark, const std::vector<std::string>& asked) {
  if (asked.empty()) return;
  for (const std::string& name : asked) static_cast<void>(benchmark.set(name));  // a wrong name is an error
  std::erase_if(benchmark.sets,
                [&](const SetSpec& set) { return std::find(asked.begin(), asked.end(), set.name) == asked.end(); });
}

std::vector<std::string> sets_to_pack(const Benchmark& benchmark, const DataArguments& arguments) {
  const std::vector<std::string>& asked = arguments.sets;
  if (!asked.empty()) {
    for (const std::string& name : asked)
      static_cast<void>(benchmark.set(name));  // a wrong name is told before the first set is packed
    return asked;
  }
  if (arguments.train_side > 0) return {"train"};
  std::vector<std::string> names;
  for (const SetSpec& set : benchmark.sets) {
    if (is_listed(benchmark.source(set.source))) names.push_back(set.name);
  }
  if (names.empty()) {
    throw Error(
        ErrorKind::nothing,
        fmt::format("no set of benchmark '{}' comes from image files, so there is nothing to pack", benchmark.name));
  }
  return names;
}

json report_row(const std::string& set, const PackReport& report) {
  return {{"set", set},
          {"file", report.file.string()},
          {"images", report.images},
          {"bytes", report.bytes},
          {"resumed", report.resumed},
          {"already_there", report.already_there}};
}

void print_packed(const Benchmark& benchmark, const json& rows, bool as_json) {
  if (as_json) {
    fmt::print("{}\n",
               json{{"benchmark", benchmark.name}, {"sets", rows}}.dump(2, ' ', false, json::error_handler_t::replace));
    return;
  }
  std::vector<std::vector<std::string>> cells = {{"set", "images", "size", "state", "file"}};
  for (const json& row : rows) {
    cells.push_back({row.at("set"), row.at("images").dump(), megabytes(row.at("bytes")),
                     row.at("already_there").get<bool>() ? "was there" : "packed", row.at("file")});
  }
  fmt::print("{}", table(cells, {false, true, true, false, false}));
}

}  // namespace

int data_check_verb(const DataArguments& arguments) {
  Benchmark benchmark = load_benchmark(arguments.benchmark, benchmark_folders({}));
  keep_sets(benchmark, arguments.sets);
  DataCheck check;
  {
    ImageProgress progress(benchmark.name);
    check = check_data(benchmark, options_of(arguments),
                       [&](std::int64_t done, std::int64_t total) { progress(done, total); });
  }
  fmt::print("{}", arguments.json ? check_json(check) + "\n" : check_text(check));
  std::fflush(stdout);
  if (check.ok) return 0;
  // The table has told everything; only a program that reads JSON gets it as the error's text too.
  throw Error(ErrorKind::data, arguments.json
                                   ? check.first_problem
                                   : fmt::format("the data of benchmark '{}' are not as it says; what is wrong "
                                                 "stands below the table",
                                                 benchmark.name));
  return 0;
}

int data_pack_verb(const DataArguments& arguments) {
  const Benchmark benchmark = load_benchmark(arguments.benchmark, benchmark_folders({}));
  LoadOptions options = options_of(arguments);
  if (!arguments.out.empty()) options.packed = arguments.out;
  json rows = json::array();
  const StopSignals stops(StopSignals::Second::ends_process);  // a packing survives that too
  for (const std::string& name : sets_to_pack(benchmark, arguments)) {
    ImageProgress progress(name);
    const PackOptions packing{.progress = [&](std::int64_t done, std::int64_t total) { progress(done, total); },
                              .should_stop = [&] { return stops.count() > 0; }};
    const PackReport report = arguments.train_side > 0
                                  ? pack_for_training(benchmark, name, options, arguments.train_side, packing)
                                  : pack_set(benchmark, name, options, packing);
    progress.line(fmt::format("{}: {} images, {}{}", name, report.images, megabytes(report.bytes),
                              report.already_there ? ", was there"
                              : report.resumed > 0 ? fmt::format(", went on after {}", report.resumed)
                                                   : ""));
    rows.push_back(report_row(name, report));
    if (stops.count() > 0)
      throw Error(ErrorKind::interrupted, fmt::format("stopped after set '{}'; the same command goes on there", name));
  }
  print_packed(benchmark, rows, arguments.json);
  return 0;
}

int data_synth_verb(const DataArguments& arguments) {
  const Benchmark benchmark = load_benchmark(arguments.benchmark, benchmark_folders({}));
  const SynthReport report = synth_data(benchmark, arguments.out, arguments.per_set, arguments.seed);
  const std::string root = fs::absolute(arguments.out).lexically_normal().string();
  if (arguments.json) {
    const json document = {{"benchmark", benchmark.name},
                           {"out", root},
                           {"lists", report.lists},
                           {"images", report.images},
                           {"left_out", report.left_out}};
    fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
    return 0;
  }
  fmt::print("{} made images in {} lists beneath {}\nuse them with: data.root={} data.allow_count_mismatch=true\n",
             report.images, report.lists, root, root);
  if (report.left_out > 0)
    fmt::print("{} sets of '{}' do not come from image files and were left out\n", report.left_out, benchmark.name);
  return 0;
}

}  // namespace nearfar
