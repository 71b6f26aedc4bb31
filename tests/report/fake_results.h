#pragma once
/// A database in memory, and a small experiment with easy numbers.
/// Trainings ce (linear head) and supcon (none), seeds 0 and 1; postprocessors knn, msp and, on ce only, mds.
/// msp does not apply to supcon; mds failed on seed 1. Sets: near {cousins}, far {digits, letters}, control {noise}.
#include "store/results.h"

#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace nearfar::testing {

class FakeResults final : public ResultStore {
 public:
  struct Result {
    ResultSubject subject;
    std::vector<MetricRow> values;
    std::string experiment = "sample";
  };
  struct Cell {
    CellStatus status;
    std::string experiment = "sample";
  };
  std::vector<Result> results;
  std::vector<Cell> listed;
  std::vector<BenchmarkRecord> known;
  std::int64_t waiting = 0;  ///< planned or running, of newest configs

  /// Later ones have larger uids.
  Result& add(ResultSubject subject, std::vector<MetricRow> values) {
    subject.run_uid = fmt::format("{:06}", results.size());
    if (subject.cell_key.empty()) subject.cell_key = "cell" + subject.run_uid;
    return results.emplace_back(Result{std::move(subject), std::move(values)});
  }
  void add_gap(CellKind kind, const std::string& label, CellState state, const std::string& message,
               const std::string& benchmark = "tiny") {
    Cell& cell = listed.emplace_back();
    cell.status.kind = kind;
    cell.status.label = label;
    cell.status.benchmark = benchmark;
    cell.status.state = state;
    cell.status.message = message;
  }

  ResultsFrame frame(std::optional<std::string> experiment) const override {
    std::vector<const Result*> ordered;
    for (const Result& result : results) {
      if (!experiment || result.experiment == *experiment) ordered.push_back(&result);
    }
    std::ranges::sort(ordered, {}, [](const Result* result) {
      const ResultSubject& s = result->subject;
      return std::tie(s.benchmark, s.data_hash, s.training, s.training_params, s.architecture, s.head, s.recipe,
                      s.postprocessor, s.postprocessor_params, s.seed, s.cell_key);
    });
    ResultsFrame frame;
    for (const Result* result : ordered) {
      std::vector<MetricRow> values = result->values;
      std::ranges::sort(values, {},
                        [](const MetricRow& v) { return std::tie(v.protocol, v.group, v.dataset, v.metric); });
      for (const MetricRow& v : values)
        frame.values.push_back({frame.subjects.size(), v.protocol, v.group, v.dataset, v.metric, v.value});
      frame.subjects.push_back(result->subject);
    }
    return frame;
  }
  /// A report must not read every cell, nor those that are still to do: there may be a hundred thousand.
  std::vector<CellStatus> cells(std::optional<std::string> experiment, std::vector<CellState> states) const override {
    const auto is_asked_for = [&](CellState state) { return std::ranges::find(states, state) != states.end(); };
    if (states.empty() || is_asked_for(CellState::planned) || is_asked_for(CellState::running))
      throw std::logic_error("a report reads planned cells");
    std::vector<CellStatus> found;
    for (const Cell& cell : listed) {
      if ((!experiment || cell.experiment == *experiment) && is_asked_for(cell.status.state))
        found.push_back(cell.status);
    }
    return found;
  }
  std::int64_t waiting_count(std::optional<std::string>) const override { return waiting; }
  std::vector<BenchmarkRecord> benchmarks() const override { return known; }

  std::optional<CellState> state(std::string_view) const override { return unused<std::optional<CellState>>(); }
  std::vector<CellCount> counts(std::optional<std::string>) const override { return unused<std::vector<CellCount>>(); }
  std::optional<CellDetails> find(std::string_view) const override { return unused<std::optional<CellDetails>>(); }
  std::vector<EventRow> events(std::size_t) const override { return unused<std::vector<EventRow>>(); }
  std::vector<std::string> experiments() const override { return unused<std::vector<std::string>>(); }
  std::optional<ExperimentRecord> experiment(std::string_view) const override {
    return unused<std::optional<ExperimentRecord>>();
  }
  std::optional<ExperimentRecord> experiment_with(std::string_view) const override {
    return unused<std::optional<ExperimentRecord>>();
  }
  std::vector<PluginRecord> plugins() const override { return unused<std::vector<PluginRecord>>(); }
  std::string stamp() const override { return unused<std::string>(); }
  std::vector<CostRow> costs() const override { return unused<std::vector<CostRow>>(); }

 private:
  template <class T>
  static T unused() {
    throw std::logic_error("a report does not need this");
  }
};

inline const std::string kDataHash = "d47a";

inline BenchmarkRecord sample_benchmark(const std::string& name = "tiny") {
  return {name,
          kDataHash,
          "{}",
          {{"cousins", "near", "", 100},
           {"digits", "far", "", 100},
           {"letters", "far", "", 100},
           {"noise", "control", "uniform noise", 50}}};
}

inline ResultSubject subject(const std::string& training, std::int64_t seed, const std::string& postprocessor,
                             const std::string& params = "") {
  ResultSubject subject;
  subject.benchmark = "tiny";
  subject.data_hash = kDataHash;
  subject.training = training;
  subject.training_params = training == "supcon" ? "temperature=0.2" : "";
  subject.architecture = "net";
  subject.head = training == "supcon" ? "none" : "linear";
  subject.recipe = "short";
  subject.postprocessor = postprocessor;
  subject.postprocessor_params = params;
  subject.seed = seed;
  subject.factors = {{"loss", training, false},
                     {"model", "net", false},
                     {"postprocessor", postprocessor, false},
                     {"train.epochs", std::int64_t{6}, true},
                     {"train.lr", 0.1, true}};
  subject.classifier = training == "supcon" ? "ncm" : "linear";
  subject.numerics = "1";
  subject.engine_version = "0.1.0";
  if (training == "ce") {
    subject.training_version = "1.0.0";
    subject.training_source_hash = "ce50urce";
  }
  if (postprocessor == "knn") {
    subject.postprocessor_version = "1.0.0";
    subject.postprocessor_source_hash = "4nn50urce";
  }
  return subject;
}

struct SetValues {
  double cousins, digits, letters, noise;
};
inline std::vector<MetricRow> values(const SetValues& auroc, const SetValues& fpr95, double accuracy = 0.95) {
  std::vector<MetricRow> result = {{"ood", "id", "test", "accuracy", accuracy}};
  for (const auto& [metric, v] : {std::pair("auroc", auroc), std::pair("fpr95", fpr95)}) {
    result.push_back({"ood", "near", "cousins", metric, v.cousins});
    result.push_back({"ood", "far", "digits", metric, v.digits});
    result.push_back({"ood", "far", "letters", metric, v.letters});
    result.push_back({"ood", "control", "noise", metric, v.noise});
  }
  return result;
}
/// All sets at the same AUROC.
inline std::vector<MetricRow> all_at(double auroc) { return values({auroc, auroc, auroc, 1}, {0.5, 0.5, 0.5, 0}); }

/// Another value of a factor, or a factor more.
inline ResultSubject with_factor(ResultSubject subject, const std::string& name, ParamValue value,
                                 bool is_default = false) {
  std::erase_if(subject.factors, [&](const Factor& factor) { return factor.name == name; });
  subject.factors.push_back({name, std::move(value), is_default});
  std::ranges::sort(subject.factors, {}, &Factor::name);
  return subject;
}
inline ResultSubject without_factor(ResultSubject subject, const std::string& name) {
  std::erase_if(subject.factors, [&](const Factor& factor) { return factor.name == name; });
  return subject;
}

inline FakeResults sample() {
  FakeResults store;
  store.known = {sample_benchmark()};
  for (const std::int64_t seed : {0, 1}) {
    const double more = seed == 0 ? 0 : 0.02;
    const double less = seed == 0 ? 0 : 0.10;
    const std::vector<MetricRow> on_ce =
        values({0.80 + more, 0.90 + more, 0.94 + more, 1}, {0.50 - less, 0.30 - less, 0.20 - less, 0}, 0.95 + more);
    store.add(subject("ce", seed, "knn"), on_ce);
    store.add(subject("ce", seed, "msp"), on_ce);  // a tie
    store.add(subject("supcon", seed, "knn", "k=20"),
              values({0.90, 0.94 + more, 0.96 + more, 0.5}, {0.30, 0.20 - less, 0.10 - less, 1}, 0.94));
    store.add_gap(CellKind::eval, fmt::format("supcon/net/s{} msp", seed), CellState::not_applicable,
                  "msp needs logits; supcon trains no linear head");
  }
  store.add(subject("ce", 0, "mds"), values({0.99, 0.99, 0.99, 1}, {0.01, 0.01, 0.01, 0}));
  store.add_gap(CellKind::eval, "ce/net/s1 mds", CellState::failed, "singular covariance");
  return store;
}

}  // namespace nearfar::testing
