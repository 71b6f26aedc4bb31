#include "base/text.h"
#include "report/plugin_bench.h"
#include "report/plugin_bench_forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace nearfar {
namespace {

constexpr double kBusyShare = 0.5;  // of the cores: timings of a busier machine are told to be so

std::string rate_text(double per_second) {
  if (per_second >= 1e6) return fmt::format("{:.3g} M", per_second / 1e6);
  return per_second >= 1e4 ? fmt::format("{:.3g} k", per_second / 1e3) : fmt::format("{:.3g}", per_second);
}

/// How far the middle half of the samples reaches, by the median.
std::string spread_text(const BenchedSide& side) {
  std::vector<double> sorted = side.seconds;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t quarter = sorted.size() / 4;
  return fmt::format("{:.0f} %", 100 * (sorted[sorted.size() - 1 - quarter] - sorted[quarter]) / median(sorted));
}

std::string plugin_text(const BenchedPlugin& plugin) {
  return fmt::format("{} {}{}  (tier {}, {}, {}, SHA-256 {})", plugin.name, plugin.version,
                     plugin.params.empty() ? "" : " " + plugin.params, plugin.tier, plugin.compiler, plugin.path,
                     plugin.binary_hash.substr(0, 12));
}

std::vector<std::string> row_of(const PluginBench& bench, const BenchedSize& size, const BenchedMeasure& measure) {
  const BenchedSide& side = *measure.subject;
  const double middle = median(side.seconds);
  std::vector<std::string> row{size.name,
                               shape_text(bench, size),
                               measure.name,
                               seconds_text(middle),
                               seconds_text(*std::ranges::min_element(side.seconds)),
                               spread_text(side),
                               rate_text(static_cast<double>(measure.rows) / middle),
                               peak_text(side.peak_bytes)};
  if (measure.reference) {
    row.push_back(seconds_text(median(measure.reference->seconds)));
    row.push_back(peak_text(measure.reference->peak_bytes));
    const Ratio ratio = *measure.ratio(bench.alpha);
    row.push_back(ratio_text(ratio.estimate));
    row.push_back(fmt::format("[{}, {}]", ratio_text(ratio.low), ratio_text(ratio.high)));
  } else {
    row.insert(row.end(), {"-", "-", "", ""});
  }
  return row;
}

}  // namespace

std::string seconds_text(double seconds) {
  if (seconds >= 1) return fmt::format("{:.3g} s", seconds);
  return seconds >= 1e-3 ? fmt::format("{:.3g} ms", 1e3 * seconds) : fmt::format("{:.3g} us", 1e6 * seconds);
}

std::string peak_text(const std::optional<std::int64_t>& bytes) { return bytes ? bytes_text(*bytes) : "?"; }

std::string ratio_text(double ratio) {
  return ratio >= 0.1 && ratio < 100 ? fmt::format("{:.3f}", ratio) : fmt::format("{:.2g}", ratio);
}

std::string shape_text(const PluginBench& bench, const BenchedSize& size) {
  if (bench.input == "batch") return fmt::format("{} x {} x {}", size.rows, size.width, size.classes);
  if (bench.input == "network") return fmt::format("{} x {} images", size.train, size.rows);
  return fmt::format("{} x {} x {} x {}", size.train, size.width, size.classes, size.rows);
}

std::string machine_text(const BenchMachine& machine) {
  return fmt::format("{}, {} cores, {} threads, {} ({}); nearfar {}, {} build, LibTorch {}", machine.cpu, machine.cores,
                     machine.threads, machine.device, machine.cpu_capability, machine.nearfar, machine.build_type,
                     machine.torch);
}

std::string plugin_bench_text(const PluginBench& bench) {
  std::string text = fmt::format("{} {}\nagainst {}\non {}\n\n", bench.kind, plugin_text(bench.subject),
                                 plugin_text(bench.reference), machine_text(bench.machine));
  const std::string shape = bench.input == "batch"     ? "batch x width x classes"
                            : bench.input == "network" ? "fitted x seen"
                                                       : "train x width x classes x rows";
  const std::string unit = bench.input == "features" ? "rows/s" : "images/s";
  std::vector<std::vector<std::string>> rows{{"size", shape, "", "median", "least", "spread", unit, "memory",
                                              bench.reference.name, "its memory", "ratio",
                                              fmt::format("{:.3g} % interval", 100 * (1 - bench.alpha))}};
  double coverage = 1;
  for (const BenchedSize& size : bench.sizes) {
    for (const BenchedMeasure& measure : size.measures) {
      if (!measure.subject) continue;
      rows.push_back(row_of(bench, size, measure));
      if (const auto ratio = measure.ratio(bench.alpha)) coverage = std::min(coverage, ratio->coverage);
    }
  }
  text += table(rows, {false, false, false, true, true, true, true, true, true, true, true, true});
  text += fmt::format(
      "\nMedians of {} samples, taken of both in turn; spread: the middle half of them. Memory: at most, beyond what "
      "was there before the call. Ratio: of each pair, below 1 = {} is faster.\n",
      bench.repeat, bench.subject.name);
  if (coverage < 1 - bench.alpha) {
    text += fmt::format("With {} pairs an interval covers {:.1f} % at most; give --repeat 7 or more.\n", bench.repeat,
                        100 * coverage);
  }
  if (bench.machine.load > kBusyShare * static_cast<double>(bench.machine.cores)) {
    text += fmt::format(
        "The machine was busy with other things when this began (load {:.1f} on {} cores): times are too long and "
        "intervals wide.\n",
        bench.machine.load, bench.machine.cores);
  }
  return text;
}

}  // namespace nearfar
