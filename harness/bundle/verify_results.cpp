#include "bundle/verify_results.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/npy.h"
#include "base/set_name.h"
#include "metrics/protocols.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Metrics are computed by the code that stored them, in double: another compiler may move the last bits. The smallest
/// change of an AUROC, one pair of images, is 1e-9 on the largest benchmark.
constexpr double kTolerance = 1e-12;
constexpr std::string_view kCorrect = "correct/";  // sets of an accuracy cell: 1 for each image that was right, else 0

Check of_cell(const EvidenceRun& run, std::string what, std::string message = {}) {
  return {.what = std::move(what),
          .status = message.empty() ? CheckStatus::pass : CheckStatus::fail,
          .cell = run.cell.key,
          .label = run.cell.label,
          .message = std::move(message)};
}

json parsed(const std::string& text) { return json::parse(text, nullptr, false); }

std::string text_at(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key)) return "";
  const json& value = object.at(key);
  if (value.is_string()) return value.get<std::string>();
  return value.is_object() ? text_at(value, "name") : value.dump();
}

// ---- identities

/// "" if the cell is what its identity says, as far as that tells.
std::string fault_of_identity(const EvidenceRun& run, const std::map<std::string, const EvidenceRun*>& cells) {
  const CellRecord& cell = run.cell;
  if (sha256(cell.identity_json) != cell.key) return "its identity has not the hash that is its key";
  const json identity = parsed(cell.identity_json);
  const auto differs = [&](const char* key, const std::string& shown) {
    const std::string told = text_at(identity, key);
    return told.empty() || told == shown
               ? std::string()
               : fmt::format("is shown with {} '{}', its identity says '{}'", key, shown, told);
  };
  std::vector<std::string> faults{differs("kind", std::string(kind_name(cell.kind)))};
  if (cell.kind == CellKind::train) {
    faults.push_back(differs("architecture", cell.architecture));
    faults.push_back(differs("loss", cell.training));
    faults.push_back(differs("seed", std::to_string(cell.seed)));
  } else {
    faults.push_back(differs("model", cell.model_key));
    faults.push_back(differs("postprocessor", cell.postprocessor));
  }
  if (!cell.train_key.empty()) {
    const auto train = cells.find(cell.train_key);
    if (train == cells.end()) {
      faults.emplace_back("its training is not there");
    } else if (const CellRecord& of = train->second->cell;
               of.kind != CellKind::train || cell.model_key != of.key || cell.training != of.training ||
               cell.training_params != of.training_params || cell.architecture != of.architecture ||
               cell.seed != of.seed) {
      faults.emplace_back("is shown as of another training than the one that it names");
    }
  }
  const auto first = std::ranges::find_if(faults, [](const std::string& fault) { return !fault.empty(); });
  return first == faults.end() ? "" : *first;
}

/// Images that the identity was made of, against those of the benchmark that the cell is shown on.
std::string fault_of_images(const EvidenceRun& run, const StoredEvidence& evidence) {
  const json identity = parsed(run.cell.identity_json);
  const auto benchmark = std::ranges::find_if(evidence.benchmarks, [&](const BenchmarkRecord& one) {
    return one.name == run.cell.benchmark && one.data_hash == run.cell.data_hash;
  });
  if (benchmark == evidence.benchmarks.end()) return "its benchmark is not there";
  const json definition = parsed(benchmark->definition_json);
  const json images = identity.is_object() ? identity.value("images", json()) : json();
  const json hashes = images.is_object() ? images.value("sets", json()) : json();
  const json sets = definition.is_object() ? definition.value("sets", json()) : json();
  if (!hashes.is_object() || !sets.is_array()) return "";
  for (const json& set : sets) {
    const std::string name = text_at(set, "name"), hash = text_at(set, "hash");
    if (!name.empty() && hashes.contains(name) && text_at(hashes, name.c_str()) != hash)
      return fmt::format("its images of {} are not those of the benchmark '{}' that it is shown on", name,
                         run.cell.benchmark);
  }
  return "";
}

// ---- numbers

/// A score file that is what the database says, by set.
using Files = std::map<std::string, NpyArray>;

class NumberCheck {
 public:
  NumberCheck(const EvidenceRun& run, const StoredEvidence& evidence, bool bundled, std::vector<Check>& checks)
      : run_(run), evidence_(evidence), bundled_(bundled), checks_(checks) {}

  void run() {
    const std::vector<EvaluationProtocol> protocols = protocols_of();
    for (const ScoreSetRow& row : run_.scores) check_file(row);
    if (run_.cell.kind == CellKind::eval) check_metrics(protocols);
    for (const MetricRow& metric : run_.metrics) {
      if (metric.group == groups::kId && metric.metric == "accuracy") check_accuracy(metric, protocols);
    }
  }

 private:
  void add(std::string what, const std::string& set, std::string message) {
    Check check = of_cell(run_, std::move(what), std::move(message));
    check.set = set;
    checks_.push_back(std::move(check));
  }

  /// As the identity has them; of results that are older than that: ood alone.
  std::vector<EvaluationProtocol> protocols_of() const {
    std::vector<EvaluationProtocol> protocols;
    const json identity = parsed(run_.cell.identity_json);
    const json told = identity.is_object() ? identity.value("protocols", json()) : json();
    if (told.is_object()) {
      for (const auto& [name, csid] : told.items()) {
        EvaluationProtocol& one = protocols.emplace_back(EvaluationProtocol{name, {}});
        if (!csid.is_array()) continue;
        for (const json& set : csid) {
          if (set.is_string()) one.csid.push_back(set.get<std::string>());
        }
      }
    }
    if (protocols.empty()) protocols.push_back({"ood", {}});
    return protocols;
  }

  void check_file(const ScoreSetRow& row) {
    if (bundled_ && !run_.beside)
      return add("scores", row.set, "its file is not in the bundle: the database points elsewhere");
    if (run_.folder.empty()) return add("scores", row.set, "its file lies on another host");
    const fs::path file = run_.folder / row.path;
    std::error_code error;
    if (!fs::is_regular_file(file, error)) return add("scores", row.set, fmt::format("{} is missing", row.path));
    try {
      if (sha256_file(file) != row.sha256)
        return add("scores", row.set,
                   fmt::format("{} is not the file that the run wrote: its SHA-256 differs", row.path));
      NpyArray array(file);
      if (!array.is_column() || array.size() != row.count) {
        return add("scores", row.set,
                   fmt::format("{} has {} numbers, the database says {}", row.path, array.size(), row.count));
      }
      files_.emplace(row.set, std::move(array));
      add("scores", row.set, "");
    } catch (const Error& unreadable) {
      return add("scores", row.set, unreadable.what());
    }
    check_count(row);
  }

  /// Where images could not be read and were left out, the run says so.
  void check_count(const ScoreSetRow& row) {
    const std::string set = row.set.starts_with(kCorrect) ? row.set.substr(kCorrect.size()) : row.set;
    const auto images = image_count(set);
    if (!images || *images == 0) return;
    if (*images == row.count) return add("count", row.set, "");
    const bool told = run_.cell.flags.find("skipped-images") != std::string::npos && row.count < *images;
    add("count", row.set, fmt::format("has {} scores, the benchmark {} images", row.count, *images));
    if (told) checks_.back().status = CheckStatus::not_checkable;
  }

  std::optional<std::int64_t> image_count(const std::string& set) const {
    const auto name = parse_set_name(set);
    if (!name) return std::nullopt;
    for (const BenchmarkRecord& benchmark : evidence_.benchmarks) {
      if (benchmark.name != run_.cell.benchmark || benchmark.data_hash != run_.cell.data_hash) continue;
      for (const BenchmarkSet& one : benchmark.sets) {
        if (one.group == name->group && one.name == name->name) return one.image_count;
      }
    }
    return std::nullopt;
  }

  void check_metrics(const std::vector<EvaluationProtocol>& protocols) {
    const bool wide =
        std::ranges::any_of(files_, [](const auto& one) { return one.second.type() == NpyType::float64; });
    std::vector<ProtocolMetric> again;
    std::string why = "its scores are not there or not as they were written";
    try {
      again = wide ? recomputed<double>(protocols) : recomputed<float>(protocols);
    } catch (const Error& error) {
      why = error.what();
    }
    for (const MetricRow& metric : run_.metrics) {
      if (!is_ood_group(metric.group)) continue;
      const auto found = std::ranges::find_if(again, [&](const ProtocolMetric& one) {
        return one.protocol == metric.protocol && one.group == metric.group && one.dataset == metric.dataset &&
               one.metric == metric.metric;
      });
      if (found == again.end()) {
        compare(metric, "metric", std::nullopt, why);
      } else {
        compare(metric, "metric", found->value, "");
        again.erase(found);
      }
    }
    for (const ProtocolMetric& left : again) {
      Check& check = checks_.emplace_back(of_cell(run_, "metric", "its scores are there, the number is not"));
      check.set = left.group + "/" + left.dataset;
      check.protocol = left.protocol;
      check.metric = left.metric;
      check.recomputed = left.value;
    }
    if (run_.metrics.empty() && again.empty()) add("metric", "", "an evaluation without numbers and without scores");
  }

  /// By the names of the sets, as the runner hands them over: those of one side are sorted before they are compared.
  template <class T>
  std::vector<ProtocolMetric> recomputed(const std::vector<EvaluationProtocol>& protocols) const {
    std::vector<SetScores<T>> scores;
    for (const auto& [set, array] : files_) {
      if (!set.starts_with(kCorrect)) scores.push_back({set, converted<T>(array)});
    }
    return protocol_metrics<T>(scores, protocols);
  }

  void compare(const MetricRow& metric, const char* what, std::optional<double> again, const std::string& why) {
    Check check = of_cell(run_, what);
    check.set = metric.group == groups::kId ? metric.dataset : metric.group + "/" + metric.dataset;
    check.protocol = metric.protocol;
    check.metric = metric.metric;
    check.stored = metric.value;
    check.recomputed = again;
    if (!again) {
      check.status = CheckStatus::fail;
      check.message = "cannot be computed again: " + why;
    } else if (!(std::abs(*again - metric.value) <= kTolerance)) {
      check.status = CheckStatus::fail;
      check.message = "is not what the scores give";
    }
    checks_.push_back(std::move(check));
  }

  /// test, or under a protocol with shifted images test and these, pooled.
  void check_accuracy(const MetricRow& metric, const std::vector<EvaluationProtocol>& protocols) {
    if (std::ranges::none_of(run_.scores, [](const ScoreSetRow& row) { return row.set.starts_with(kCorrect); })) {
      compare(metric, "accuracy", metric.value, "");
      checks_.back().recomputed = std::nullopt;
      checks_.back().status = CheckStatus::not_checkable;
      checks_.back().message = "no per-image evidence";
      return;
    }
    std::vector<std::string> sets{std::string(sets::kTest)};
    const auto protocol = std::ranges::find(protocols, metric.protocol, &EvaluationProtocol::name);
    if (protocol != protocols.end()) sets.insert(sets.end(), protocol->csid.begin(), protocol->csid.end());
    std::int64_t right = 0, images = 0;
    for (const std::string& set : sets) {
      const auto found = files_.find(std::string(kCorrect) + set);
      if (found == files_.end())
        return compare(metric, "accuracy", std::nullopt,
                       fmt::format("which images of {} were right is not there", set));
      for (const double one : converted<double>(found->second)) {
        if (one != 0 && one != 1)
          return compare(metric, "accuracy", std::nullopt, fmt::format("correct/{} has numbers besides 0 and 1", set));
        right += one == 1 ? 1 : 0;
        ++images;
      }
    }
    compare(metric, "accuracy", images == 0 ? 0 : static_cast<double>(right) / static_cast<double>(images), "");
  }

  const EvidenceRun& run_;
  const StoredEvidence& evidence_;
  bool bundled_;
  std::vector<Check>& checks_;
  Files files_;
};

}  // namespace

void check_configs(const StoredEvidence& evidence, const Canonical& canonical, std::vector<Check>& checks) {
  for (const ExperimentRecord& one : evidence.experiments) {
    Check check{.what = "config", .set = fmt::format("{} {}", one.name, one.hash.substr(0, 12))};
    if (sha256(one.canonical) != one.hash) {
      check.message = "its text has not the hash that it is stored under";
    } else {
      try {
        if (canonical && canonical(one.composed) != one.canonical)
          check.message = "its TOML is not the config that its hash is of";
      } catch (const std::exception& error) {
        check.message = fmt::format("its TOML cannot be read: {}", error.what());
      }
    }
    if (!check.message.empty()) check.status = CheckStatus::fail;
    checks.push_back(std::move(check));
  }
}

void check_identities(const StoredEvidence& evidence, std::vector<Check>& checks) {
  std::map<std::string, const EvidenceRun*> cells;
  for (const EvidenceRun& run : evidence.runs) cells.emplace(run.cell.key, &run);
  for (const auto& [key, run] : cells) {
    std::string fault = fault_of_identity(*run, cells);
    if (fault.empty()) fault = fault_of_images(*run, evidence);
    checks.push_back(of_cell(*run, "identity", std::move(fault)));
  }
}

void check_numbers(const StoredEvidence& evidence, bool bundled, std::vector<Check>& checks) {
  for (const EvidenceRun& run : evidence.runs) NumberCheck(run, evidence, bundled, checks).run();
}

}  // namespace nearfar
