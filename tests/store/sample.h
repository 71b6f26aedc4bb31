#pragma once
/// A small experiment with easy numbers, for tests of store and report.
/// Trainings ce (linear head) and supcon (none), seeds 0 and 1; postprocessors knn, msp and, on ce only, mds.
/// msp does not apply to supcon; mds failed on seed 1. Sets: near {cousins}, far {digits, letters}, control {noise}.
#include "base/hash.h"
#include "store/store.h"

#include <fmt/core.h>

#include <string>

namespace nearfar::testing {

inline const std::string kDataHash = "d47a";

inline BenchmarkRecord sample_benchmark() {
  return {"tiny",
          kDataHash,
          "{}",
          {{"cousins", "near", "", 100},
           {"digits", "far", "", 100},
           {"letters", "far", "", 100},
           {"noise", "control", "uniform noise", 50}}};
}

inline CellRecord train_cell(const std::string& training, std::int64_t seed, const std::string& training_params = "") {
  CellRecord cell;
  cell.kind = "train";
  cell.label = fmt::format("{}/net/s{}", training, seed);
  cell.benchmark = "tiny";
  cell.data_hash = kDataHash;
  cell.architecture = "net";
  cell.head = training == "supcon" ? "none" : "linear";
  cell.training = training;
  cell.training_params = training_params;
  cell.recipe = "short";
  cell.seed = seed;
  cell.config_json = fmt::format(R"({{"label": "{}"}})", cell.label);
  cell.key = sha256(cell.label + training_params);
  return cell;
}

inline CellRecord eval_cell(const CellRecord& train, const std::string& postprocessor, const std::string& params = "") {
  CellRecord cell = train;
  cell.kind = "eval";
  cell.train_key = train.key;
  cell.label = train.label + " " + postprocessor;
  cell.postprocessor = postprocessor;
  cell.postprocessor_params = params;
  cell.key = sha256(cell.label + params);
  return cell;
}

inline RunContext context() {
  return {.owner = owner_of_this_process(),
          .device = "cpu",
          .threads = 1,
          .engine_version = "0.1.0",
          .numerics = "1",
          .log_file = ""};
}

struct SetValues {
  double cousins, digits, letters, noise;
};
inline EvalResult eval_result(const SetValues& auroc, const SetValues& fpr95) {
  EvalResult result;
  for (const auto& [metric, v] : {std::pair("auroc", auroc), std::pair("fpr95", fpr95)}) {
    result.metrics.push_back({"ood", "near", "cousins", metric, v.cousins});
    result.metrics.push_back({"ood", "far", "digits", metric, v.digits});
    result.metrics.push_back({"ood", "far", "letters", metric, v.letters});
    result.metrics.push_back({"ood", "control", "noise", metric, v.noise});
  }
  return result;
}

inline TrainResult train_result(double accuracy, const std::string& classifier) {
  TrainResult result;
  result.seconds = 1;
  result.epochs = 2;
  result.train_loss = 0.1;
  result.test_accuracy = accuracy;
  result.classifier = classifier;
  return result;
}

inline void run_train(Store& store, const CellRecord& cell, const TrainResult& result, std::int64_t plugin = 0) {
  RunContext with = context();
  with.plugin_id = plugin;
  store.finish_train(store.claim(cell.key, with).value(), result);
}
inline void run_eval(Store& store, const CellRecord& cell, const EvalResult& result, std::int64_t plugin = 0) {
  RunContext with = context();
  with.plugin_id = plugin;
  store.finish_eval(store.claim(cell.key, with).value(), result);
}

inline void fill_sample_step_by_step(Store& store) {
  const std::int64_t experiment = store.put_experiment("sample", "canonical", "c0");
  store.put_benchmark(sample_benchmark());
  const std::int64_t loss = store.put_plugin({"loss", "ce", "1.0.0", "ce50urce", "b1", "tag"});
  const std::int64_t knn = store.put_plugin({"postprocessor", "knn", "1.0.0", "4nn50urce", "b2", "tag"});
  std::int64_t order = 0;
  for (const std::int64_t seed : {0, 1}) {
    const double more = seed == 0 ? 0 : 0.02;
    const double less = seed == 0 ? 0 : 0.10;
    const CellRecord ce = train_cell("ce", seed), supcon = train_cell("supcon", seed, "temperature=0.2");
    for (const CellRecord& cell : {ce, supcon}) store.put_cell(experiment, cell, order++);
    for (const char* postprocessor : {"knn", "msp", "mds"})
      store.put_cell(experiment, eval_cell(ce, postprocessor), order++);
    store.put_cell(experiment, eval_cell(supcon, "knn", "k=20"), order++);
    store.put_cell(experiment, eval_cell(supcon, "msp"), order++);

    run_train(store, ce, train_result(0.95 + more, "linear"), loss);
    run_train(store, supcon, train_result(0.94, "ncm"));
    const EvalResult on_ce =
        eval_result({0.80 + more, 0.90 + more, 0.94 + more, 1}, {0.50 - less, 0.30 - less, 0.20 - less, 0});
    run_eval(store, eval_cell(ce, "knn"), on_ce, knn);
    run_eval(store, eval_cell(ce, "msp"), on_ce);  // a tie
    run_eval(store, eval_cell(supcon, "knn", "k=20"),
             eval_result({0.90, 0.94 + more, 0.96 + more, 0.5}, {0.30, 0.20 - less, 0.10 - less, 1}), knn);
    store.set_not_applicable(eval_cell(supcon, "msp").key, "msp needs logits; supcon trains no linear head");
    if (seed == 0) {
      run_eval(store, eval_cell(ce, "mds"), eval_result({0.99, 0.99, 0.99, 1}, {0.01, 0.01, 0.01, 0}));
    } else {
      store.fail(store.claim(eval_cell(ce, "mds").key, context()).value(), CellState::failed, "singular covariance");
    }
  }
}

/// One transaction: one write to disk instead of fifty.
inline void fill_sample(Store& store) {
  store.in_transaction([&] { fill_sample_step_by_step(store); });
}

}  // namespace nearfar::testing
