#pragma once
/// What `nearfar plugin bench` measured, and two such measurements compared. Pure functions of their arguments, safe
/// from any thread.
#include "metrics/ratio.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct BenchedPlugin {
  std::string name = {}, version = {}, tier = {}, path = {}, source_hash = {}, binary_hash = {}, compiler = {};
  std::string params = {};  ///< canonical
};

/// One side of a measurement; samples of both sides were taken in turn.
struct BenchedSide {
  std::vector<double> seconds = {};             ///< of a call, by sample
  std::int64_t calls = 1;                       ///< that a sample is the mean of
  std::optional<std::int64_t> peak_bytes = {};  ///< at most, beyond what was there before the call
};

struct BenchedMeasure {
  std::string name = {};                                    ///< "fit", "observe", "score"; "forward", "step"
  std::int64_t rows = 0;                                    ///< of a call
  std::optional<BenchedSide> subject = {}, reference = {};  ///< without: it does not do this

  /// Subject by reference, pair by pair; nullopt without both.
  std::optional<Ratio> ratio(double alpha) const;
};

struct BenchedSize {
  std::string name = {};
  std::int64_t train = 0, width = 0, classes = 0, rows = 0;  ///< 0 = does not count for this input
  std::vector<BenchedMeasure> measures = {};
};

/// Where times come from: what has to be the same for two of them to be compared, and what has not.
struct BenchMachine {
  std::string cpu = {}, cpu_capability = {}, device = {};  ///< device: "cpu", or an accelerator's name
  std::int64_t cores = 0, threads = 0;
  double load = 0;  ///< processes that wanted to run when it began, of the last minute
  std::string nearfar = {}, build_type = {}, torch = {};
};

struct PluginBench {
  std::string kind = {};   ///< "postprocessor", "loss"
  std::string input = {};  ///< "features", "network", "batch"
  BenchedPlugin subject = {}, reference = {};
  BenchMachine machine = {};
  std::int64_t repeat = 0;  ///< samples of each side
  double alpha = 0.05;      ///< 1 - alpha: level of its intervals
  std::vector<BenchedSize> sizes = {};
};

/// "10000 x 512 x 100, 2000 rows", as the input has it.
std::string shape_text(const PluginBench& bench, const BenchedSize& size);

/// A table for a terminal, with what it was measured on.
std::string plugin_bench_text(const PluginBench& bench);
/// As reports/schemas/plugin-bench-1.schema.json says.
std::string plugin_bench_json(const PluginBench& bench);
/// Is it such a document, to judge by its beginning? Says nothing of the rest.
bool is_plugin_bench(std::string_view text);
/// The reverse of plugin_bench_json(). Error(data) that begins with `where`: not JSON, another schema or version, a
/// member missing or of another type, a time that is none.
PluginBench plugin_bench_from_json(std::string_view text, const std::string& where);

/// B / A of one measure of one size.
struct ComparedBench {
  std::string size = {}, measure = {};
  double a = 0, b = 0;  ///< median seconds of the subjects
  std::optional<std::int64_t> peak_a = {}, peak_b = {};
  bool by_reference = false;  ///< `ratio` is of times by the reference's times: both measured the same one
  Ratio ratio = {};           ///< at 1 - alpha
  std::string verdict = {};   ///< "slower", "faster" or ""
};

struct BenchComparison {
  PluginBench a = {}, b = {};
  double alpha = 0.05, threshold = 0.1;
  std::vector<ComparedBench> rows = {};
  std::vector<std::string> differences = {};  ///< that were asked to be passed over
  std::vector<std::string> left_out = {};     ///< sizes and measures of one of them alone

  /// Is B slower anywhere?
  bool regression() const;
};

struct BenchCompareRequest {
  double alpha = 0.05;
  double threshold = 0.1;  ///< shares of a time that are let pass
  bool force = false;
};

/// A is the baseline. "slower": the time grew by more than the threshold, and the interval says so at alpha divided by
/// the number of rows (Bonferroni), so that one wrong verdict among all rows is as rare as alpha; "faster" likewise.
/// Where both measured against the same file with the same parameters, times are divided by its times, sample by
/// sample: a machine that was slower as a whole is no regression. Error(config) unless `force`: other machine, threads,
/// device, build type or sizes; always: other kinds or inputs. Error(nothing): no size in common.
BenchComparison compare_benches(const PluginBench& a, const PluginBench& b, const BenchCompareRequest& request);

std::string bench_comparison_text(const BenchComparison& comparison);
std::string bench_comparison_json(const BenchComparison& comparison);

}  // namespace nearfar
