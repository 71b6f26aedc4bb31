#include "base/error.h"
#include "report/plugin_bench.h"
#include "report/plugin_bench_forms.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {
using nlohmann::json;

constexpr const char* kSchema = "nearfar/plugin-bench";
constexpr int kVersion = 1;

json optional_json(const std::optional<std::int64_t>& value) { return value ? json(*value) : json(nullptr); }

json plugin_json(const BenchedPlugin& plugin) {
  return {{"name", plugin.name},
          {"version", plugin.version},
          {"tier", plugin.tier},
          {"path", plugin.path},
          {"source_hash", plugin.source_hash},
          {"binary_hash", plugin.binary_hash},
          {"compiler", plugin.compiler},
          {"params", plugin.params}};
}

json side_json(const std::optional<BenchedSide>& side, std::int64_t rows) {
  if (!side) return nullptr;
  const auto [least, most] = std::ranges::minmax_element(side->seconds);
  const double middle = median(side->seconds);
  return {{"seconds", side->seconds},
          {"calls", side->calls},
          {"median", middle},
          {"min", *least},
          {"max", *most},
          {"rows_per_second", static_cast<double>(rows) / middle},
          {"peak_bytes", optional_json(side->peak_bytes)}};
}

json measure_json(const BenchedMeasure& measure, double alpha) {
  const std::optional<Ratio> ratio = measure.ratio(alpha);
  return {{"measure", measure.name},
          {"rows", measure.rows},
          {"subject", side_json(measure.subject, measure.rows)},
          {"reference", side_json(measure.reference, measure.rows)},
          {"ratio", ratio ? ratio_json(*ratio) : json(nullptr)}};
}

/// A document that a person may have edited, read member by member.
class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  template <class T>
  void read(const json& object, const char* name, T& value) const {
    const auto found = object.find(name);
    if (found == object.end()) fail(name, "is missing");
    try {
      found->get_to(value);
    } catch (const json::exception&) {
      fail(name, "is " + found->dump().substr(0, 60) + ", which is of another type than it has to be");
    }
  }
  const json& member(const json& object, const char* name, json::value_t type) const {
    const auto found = object.find(name);
    if (found == object.end() || found->type() != type) fail(name, "is missing or of another type than it has to be");
    return *found;
  }
  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    throw Error(ErrorKind::data,
                fmt::format("{}: '{}' {}; expected what `nearfar plugin bench --json` writes", where_, name, what));
  }

  BenchedPlugin plugin(const json& in) const {
    BenchedPlugin is;
    for (const auto& [name, value] : {std::pair{"name", &is.name},
                                      {"version", &is.version},
                                      {"tier", &is.tier},
                                      {"path", &is.path},
                                      {"source_hash", &is.source_hash},
                                      {"binary_hash", &is.binary_hash},
                                      {"compiler", &is.compiler},
                                      {"params", &is.params}})
      read(in, name, *value);
    return is;
  }

  std::optional<BenchedSide> side(const json& measure, const char* name) const {
    const auto found = measure.find(name);
    if (found == measure.end()) fail(name, "is missing");
    if (found->is_null()) return std::nullopt;
    if (!found->is_object()) fail(name, "is no object");
    BenchedSide side;
    read(*found, "seconds", side.seconds);
    read(*found, "calls", side.calls);
    const bool sound = !side.seconds.empty() && std::ranges::all_of(side.seconds, [](double seconds) {
      return std::isfinite(seconds) && seconds > 0;
    });
    if (!sound) fail("seconds", "holds no times, or one that is not above 0");
    const auto bytes = found->find("peak_bytes");
    if (bytes != found->end() && bytes->is_number_integer()) side.peak_bytes = bytes->get<std::int64_t>();
    return side;
  }

  BenchedSize size(const json& in) const {
    BenchedSize is;
    read(in, "name", is.name);
    for (const auto& [name, value] :
         {std::pair{"train", &is.train}, {"width", &is.width}, {"classes", &is.classes}, {"rows", &is.rows}})
      read(in, name, *value);
    for (const json& one : member(in, "measures", json::value_t::array)) {
      BenchedMeasure measure;
      read(one, "measure", measure.name);
      read(one, "rows", measure.rows);
      measure.subject = side(one, "subject");
      measure.reference = side(one, "reference");
      if (measure.subject && measure.reference && measure.subject->seconds.size() != measure.reference->seconds.size())
        fail("seconds", "of subject and reference are not as many");
      is.measures.push_back(std::move(measure));
    }
    return is;
  }

  BenchMachine machine(const json& in) const {
    BenchMachine is;
    for (const auto& [name, value] : {std::pair{"cpu", &is.cpu},
                                      {"cpu_capability", &is.cpu_capability},
                                      {"device", &is.device},
                                      {"nearfar", &is.nearfar},
                                      {"build_type", &is.build_type},
                                      {"torch", &is.torch}})
      read(in, name, *value);
    read(in, "cores", is.cores);
    read(in, "threads", is.threads);
    read(in, "load", is.load);
    return is;
  }

 private:
  std::string where_;
};

}  // namespace

json ratio_json(const Ratio& ratio) {
  return {{"estimate", ratio.estimate}, {"low", ratio.low}, {"high", ratio.high}, {"coverage", ratio.coverage}};
}

std::optional<Ratio> BenchedMeasure::ratio(double alpha) const {
  if (!subject || !reference) return std::nullopt;
  return paired_ratio(subject->seconds, reference->seconds, alpha);
}

std::string plugin_bench_json(const PluginBench& bench) {
  json sizes = json::array();
  for (const BenchedSize& size : bench.sizes) {
    json measures = json::array();
    for (const BenchedMeasure& measure : size.measures) measures.push_back(measure_json(measure, bench.alpha));
    sizes.push_back({{"name", size.name},
                     {"train", size.train},
                     {"width", size.width},
                     {"classes", size.classes},
                     {"rows", size.rows},
                     {"measures", std::move(measures)}});
  }
  const BenchMachine& on = bench.machine;
  const json document = {{"schema", kSchema},
                         {"version", kVersion},
                         {"kind", bench.kind},
                         {"input", bench.input},
                         {"subject", plugin_json(bench.subject)},
                         {"reference", plugin_json(bench.reference)},
                         {"machine",
                          {{"cpu", on.cpu},
                           {"cpu_capability", on.cpu_capability},
                           {"cores", on.cores},
                           {"device", on.device},
                           {"threads", on.threads},
                           {"load", on.load},
                           {"nearfar", on.nearfar},
                           {"build_type", on.build_type},
                           {"torch", on.torch}}},
                         {"repeat", bench.repeat},
                         {"alpha", bench.alpha},
                         {"sizes", std::move(sizes)}};
  // A plugin's name or path may be in any encoding.
  return document.dump(2, ' ', false, json::error_handler_t::replace);
}

bool is_plugin_bench(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  return document.is_object() && document.contains("schema") && document.at("schema") == kSchema;
}

PluginBench plugin_bench_from_json(std::string_view text, const std::string& where) {
  const Reader reader(where);
  const json in = json::parse(text, nullptr, false);
  if (!in.is_object() || !is_plugin_bench(text)) reader.fail("schema", fmt::format("is not \"{}\"", kSchema));
  int version = 0;
  reader.read(in, "version", version);
  if (version != kVersion) reader.fail("version", fmt::format("is {}, and this nearfar reads {}", version, kVersion));
  PluginBench bench;
  reader.read(in, "kind", bench.kind);
  reader.read(in, "input", bench.input);
  bench.subject = reader.plugin(reader.member(in, "subject", json::value_t::object));
  bench.reference = reader.plugin(reader.member(in, "reference", json::value_t::object));
  bench.machine = reader.machine(reader.member(in, "machine", json::value_t::object));
  reader.read(in, "repeat", bench.repeat);
  reader.read(in, "alpha", bench.alpha);
  for (const json& size : reader.member(in, "sizes", json::value_t::array)) bench.sizes.push_back(reader.size(size));
  return bench;
}

}  // namespace nearfar
