#include "base/error.h"
#include "base/text.h"
#include "report/plugin_bench.h"
#include "report/plugin_bench_forms.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nearfar {
namespace {
using nlohmann::json;

bool same_shape(const BenchedSize& a, const BenchedSize& b) {
  return a.train == b.train && a.width == b.width && a.classes == b.classes && a.rows == b.rows;
}

const BenchedSize* find_shape(const PluginBench& bench, const BenchedSize& size) {
  const auto found = std::ranges::find_if(bench.sizes, [&](const BenchedSize& one) { return same_shape(one, size); });
  return found == bench.sizes.end() ? nullptr : &*found;
}

const BenchedMeasure* find_measure(const BenchedSize& size, const std::string& name) {
  const auto found = std::ranges::find_if(size.measures, [&](const auto& one) { return one.name == name; });
  return found == size.measures.end() || !found->subject ? nullptr : &*found;
}

std::string shapes(const PluginBench& bench) {
  std::vector<std::string> all;
  for (const BenchedSize& size : bench.sizes) all.push_back(shape_text(bench, size));
  return join(all, ", ");
}

/// Why times of A and B are no measure of each other.
std::vector<std::string> differences(const PluginBench& a, const PluginBench& b) {
  std::vector<std::string> all;
  const auto compare = [&](const char* what, const auto& one, const auto& other) {
    if (one != other) all.push_back(fmt::format("{}: {} and {}", what, one, other));
  };
  compare("processor", a.machine.cpu, b.machine.cpu);
  compare("instructions", a.machine.cpu_capability, b.machine.cpu_capability);
  compare("cores", a.machine.cores, b.machine.cores);
  compare("device", a.machine.device, b.machine.device);
  compare("threads", a.machine.threads, b.machine.threads);
  compare("build type", a.machine.build_type, b.machine.build_type);
  const auto all_in = [](const PluginBench& of, const PluginBench& other) {
    return std::ranges::all_of(of.sizes, [&](const BenchedSize& size) { return find_shape(other, size) != nullptr; });
  };
  if (!all_in(a, b) || !all_in(b, a)) compare("sizes", shapes(a), shapes(b));
  return all;
}

/// A measurement of both, not yet judged.
struct Both {
  const BenchedSize& size;
  const BenchedMeasure &a, &b;
};

std::vector<Both> in_common(const PluginBench& a, const PluginBench& b, std::vector<std::string>& left_out) {
  std::vector<Both> both;
  for (const BenchedSize& size : a.sizes) {
    const BenchedSize* other = find_shape(b, size);
    if (other == nullptr) {
      left_out.push_back(fmt::format("{} {}: in A alone", size.name, shape_text(a, size)));
      continue;
    }
    for (const BenchedMeasure& measure : size.measures) {
      const BenchedMeasure* same = find_measure(*other, measure.name);
      if (measure.subject && same != nullptr) both.push_back({size, measure, *same});
      if (measure.subject && same == nullptr)
        left_out.push_back(fmt::format("{} {}: in A alone", size.name, measure.name));
    }
    for (const BenchedMeasure& measure : other->measures) {
      if (measure.subject && find_measure(size, measure.name) == nullptr)
        left_out.push_back(fmt::format("{} {}: in B alone", size.name, measure.name));
    }
  }
  for (const BenchedSize& size : b.sizes) {
    if (find_shape(a, size) == nullptr)
      left_out.push_back(fmt::format("{} {}: in B alone", size.name, shape_text(b, size)));
  }
  return both;
}

/// What is compared: times, or times by the reference's times of the same pairs.
std::vector<double> values_of(const BenchedMeasure& measure, bool by_reference) {
  std::vector<double> values = measure.subject->seconds;
  if (by_reference) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] /= measure.reference->seconds[i];
  }
  return values;
}

std::string verdict_of(const Ratio& strict, double alpha, double threshold) {
  if (strict.coverage < 1 - alpha) return "";  // too few samples to say anything
  if (strict.low > 1 + threshold) return "slower";
  return strict.high < 1 / (1 + threshold) ? "faster" : "";
}

void require_comparable(const PluginBench& a, const PluginBench& b) {
  if (a.kind == b.kind && a.input == b.input) return;
  throw Error(ErrorKind::config, fmt::format("{} {} on {} and {} {} on {} do different things; their times cannot be "
                                             "compared",
                                             a.kind, a.subject.name, a.input, b.kind, b.subject.name, b.input));
}

std::string subject_line(const PluginBench& bench) {
  return fmt::format("{} {}{} (tier {}, SHA-256 {})", bench.subject.name, bench.subject.version,
                     bench.subject.params.empty() ? "" : " " + bench.subject.params, bench.subject.tier,
                     bench.subject.binary_hash.substr(0, 12));
}

}  // namespace

bool BenchComparison::regression() const {
  return std::ranges::any_of(rows, [](const ComparedBench& row) { return row.verdict == "slower"; });
}

BenchComparison compare_benches(const PluginBench& a, const PluginBench& b, const BenchCompareRequest& request) {
  require_comparable(a, b);
  BenchComparison comparison{.a = a, .b = b, .alpha = request.alpha, .threshold = request.threshold};
  comparison.differences = differences(a, b);
  if (!comparison.differences.empty() && !request.force) {
    throw Error(ErrorKind::config,
                fmt::format("these were not measured alike ({}); measure again, or compare what there is with --force",
                            join(comparison.differences, "; ")));
  }
  const std::vector<Both> both = in_common(a, b, comparison.left_out);
  if (both.empty()) throw Error(ErrorKind::nothing, "A and B have no size and measure in common");
  const bool same_reference =
      a.reference.binary_hash == b.reference.binary_hash && a.reference.params == b.reference.params;
  const double strict = request.alpha / static_cast<double>(both.size());
  for (const Both& one : both) {
    const bool by_reference = same_reference && one.a.reference && one.b.reference;
    const std::vector<double> of_a = values_of(one.a, by_reference), of_b = values_of(one.b, by_reference);
    comparison.rows.push_back({.size = one.size.name,
                               .measure = one.a.name,
                               .a = median(one.a.subject->seconds),
                               .b = median(one.b.subject->seconds),
                               .peak_a = one.a.subject->peak_bytes,
                               .peak_b = one.b.subject->peak_bytes,
                               .by_reference = by_reference,
                               .ratio = unpaired_ratio(of_b, of_a, request.alpha),
                               .verdict = verdict_of(unpaired_ratio(of_b, of_a, strict), strict, request.threshold)});
  }
  return comparison;
}

std::string bench_comparison_text(const BenchComparison& comparison) {
  std::string text = fmt::format("A  {}\nB  {}\non {}\n\n", subject_line(comparison.a), subject_line(comparison.b),
                                 machine_text(comparison.b.machine));
  for (const std::string& difference : comparison.differences) text += fmt::format("Not alike: {}.\n", difference);
  std::vector<std::vector<std::string>> rows{{"size", "", "A", "B", "memory A", "memory B", "B / A",
                                              fmt::format("{:.3g} % interval", 100 * (1 - comparison.alpha)), ""}};
  bool by_reference = false;
  for (const ComparedBench& row : comparison.rows) {
    by_reference = by_reference || row.by_reference;
    rows.push_back({row.size, row.measure, seconds_text(row.a), seconds_text(row.b), peak_text(row.peak_a),
                    peak_text(row.peak_b), ratio_text(row.ratio.estimate) + (row.by_reference ? " *" : ""),
                    fmt::format("[{}, {}]", ratio_text(row.ratio.low), ratio_text(row.ratio.high)),
                    row.verdict.empty() ? "no change shown" : "B is " + row.verdict});
  }
  text += table(rows, {false, false, true, true, true, true, true, true, false});
  for (const std::string& sentence : comparison.left_out) text += fmt::format("Left out: {}.\n", sentence);
  if (by_reference) {
    text +=
        fmt::format("* of times by those of {}, which both were measured in turn with.\n", comparison.a.reference.name);
  }
  return text + fmt::format(
                    "Slower or faster: by more than {:g} %, at {:g} over all rows. Memory is told and decides "
                    "nothing.\n",
                    100 * comparison.threshold, comparison.alpha);
}

std::string bench_comparison_json(const BenchComparison& comparison) {
  const auto bytes = [](const std::optional<std::int64_t>& value) { return value ? json(*value) : json(nullptr); };
  json rows = json::array();
  for (const ComparedBench& row : comparison.rows) {
    rows.push_back({{"size", row.size},
                    {"measure", row.measure},
                    {"a", {{"seconds", row.a}, {"peak_bytes", bytes(row.peak_a)}}},
                    {"b", {{"seconds", row.b}, {"peak_bytes", bytes(row.peak_b)}}},
                    {"by_reference", row.by_reference},
                    {"ratio", ratio_json(row.ratio)},
                    {"verdict", row.verdict}});
  }
  const json document = {{"schema", "nearfar/plugin-bench-comparison"},
                         {"version", 1},
                         {"alpha", comparison.alpha},
                         {"threshold", comparison.threshold},
                         {"regression", comparison.regression()},
                         {"differences", comparison.differences},
                         {"left_out", comparison.left_out},
                         {"rows", std::move(rows)}};
  return document.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace nearfar
