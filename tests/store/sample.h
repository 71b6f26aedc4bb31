#pragma once
/// A small experiment with easy numbers, for tests of store and report.
/// Trainings ce (linear head) and supcon (none), seeds 0 and 1; postprocessors knn, msp and, on ce only, mds.
/// msp does not apply to supcon; mds failed on seed 1. Sets: near {cousins}, far {digits, letters}, control {noise}.
#include "base/hash.h"
#include "store/process.h"
#include "store/session.h"

#include <fmt/core.h>

#include <initializer_list>
#include <string>
#include <vector>

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

inline ExperimentRecord sample_experiment(const std::string& name, const std::string& hash = "c0") {
  return {
      .name = name, .canonical = "canonical " + hash, .hash = hash, .composed = "name = '" + name + "'", .profile = ""};
}

inline CellRecord train_cell(const std::string& training, std::int64_t seed, const std::string& training_params = "") {
  CellRecord cell;
  cell.kind = CellKind::train;
  cell.label = fmt::format("{}/net/s{}", training, seed);
  cell.benchmark = "tiny";
  cell.data_hash = kDataHash;
  cell.architecture = "net";
  cell.head = training == "supcon" ? "none" : "linear";
  cell.training = training;
  cell.training_params = training_params;
  cell.recipe = "short";
  cell.seed = seed;
  cell.identity_json = fmt::format(R"({{"label": "{}"}})", cell.label);
  cell.key = sha256(cell.label + training_params);
  cell.model_key = cell.key;
  cell.factors = {{"loss", training, false}, {"train.epochs", std::int64_t{6}, false}};
  return cell;
}

/// A cell of a kind that has a model, without a postprocessor.
inline CellRecord model_cell(const CellRecord& train, CellKind kind, const std::string& image_set = "") {
  CellRecord cell = train;
  cell.kind = kind;
  cell.train_key = train.key;
  cell.image_set = image_set;
  cell.label = train.label + " " + (image_set.empty() ? std::string(kind_name(kind)) : image_set);
  cell.key = sha256(cell.label + train.key);
  cell.factors.clear();
  return cell;
}

inline CellRecord eval_cell(const CellRecord& train, const std::string& postprocessor, const std::string& params = "") {
  CellRecord cell = model_cell(train, CellKind::eval);
  cell.label = train.label + " " + postprocessor;
  cell.postprocessor = postprocessor;
  cell.postprocessor_params = params;
  cell.key = sha256(cell.label + params);
  cell.factors = {{"postprocessor", postprocessor, false}};
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
inline Outcome eval_result(const SetValues& auroc, const SetValues& fpr95) {
  Outcome result;
  for (const auto& [metric, v] : {std::pair("auroc", auroc), std::pair("fpr95", fpr95)}) {
    result.metrics.push_back({"ood", "near", "cousins", metric, v.cousins});
    result.metrics.push_back({"ood", "far", "digits", metric, v.digits});
    result.metrics.push_back({"ood", "far", "letters", metric, v.letters});
    result.metrics.push_back({"ood", "control", "noise", metric, v.noise});
  }
  return result;
}

inline Outcome train_result() {
  Outcome result;
  result.train_seconds = 1;
  result.epochs = 2;
  result.train_loss = 0.1;
  return result;
}
inline Outcome accuracy_result(double accuracy, const std::string& classifier) {
  Outcome result;
  result.classifier = classifier;
  result.metrics = {{"ood", "id", "test", "accuracy", accuracy}};
  return result;
}

/// The experiment has these cells and no others.
inline void put(Session& session, std::int64_t experiment, const std::vector<CellRecord>& cells) {
  std::vector<const CellRecord*> pointers;
  for (const CellRecord& cell : cells) pointers.push_back(&cell);
  session.planning().put_cells(experiment, pointers);
}

inline void run(Session& session, const CellRecord& cell, const Outcome& outcome, std::int64_t plugin = 0) {
  RunContext with = context();
  with.plugin_id = plugin;
  session.queue().finish(session.queue().claim(cell.key, with).value().run_uid, outcome);
}

inline void fill_sample_step_by_step(Session& session) {
  PlanStore& planning = session.planning();
  const std::int64_t experiment = planning.put_experiment(sample_experiment("sample"));
  planning.put_benchmark(sample_benchmark());
  const std::int64_t loss = planning.put_plugin({"loss", "ce", "1.0.0", "ce50urce", "b1", "tag"});
  const std::int64_t knn = planning.put_plugin({"postprocessor", "knn", "1.0.0", "4nn50urce", "b2", "tag"});
  std::vector<CellRecord> cells;
  for (const std::int64_t seed : {0, 1}) {
    const CellRecord ce = train_cell("ce", seed), supcon = train_cell("supcon", seed, "temperature=0.2");
    for (const CellRecord& cell :
         {ce, supcon, model_cell(ce, CellKind::accuracy), model_cell(supcon, CellKind::accuracy), eval_cell(ce, "knn"),
          eval_cell(ce, "msp"), eval_cell(ce, "mds"), eval_cell(supcon, "knn", "k=20"), eval_cell(supcon, "msp")}) {
      cells.push_back(cell);
    }
  }
  put(session, experiment, cells);
  for (const std::int64_t seed : {0, 1}) {
    const double more = seed == 0 ? 0 : 0.02;
    const double less = seed == 0 ? 0 : 0.10;
    const CellRecord ce = train_cell("ce", seed), supcon = train_cell("supcon", seed, "temperature=0.2");
    run(session, ce, train_result(), loss);
    run(session, supcon, train_result());
    run(session, model_cell(ce, CellKind::accuracy), accuracy_result(0.95 + more, "linear"));
    run(session, model_cell(supcon, CellKind::accuracy), accuracy_result(0.94, "ncm"));
    const Outcome on_ce =
        eval_result({0.80 + more, 0.90 + more, 0.94 + more, 1}, {0.50 - less, 0.30 - less, 0.20 - less, 0});
    run(session, eval_cell(ce, "knn"), on_ce, knn);
    run(session, eval_cell(ce, "msp"), on_ce);  // a tie
    run(session, eval_cell(supcon, "knn", "k=20"),
        eval_result({0.90, 0.94 + more, 0.96 + more, 0.5}, {0.30, 0.20 - less, 0.10 - less, 1}), knn);
    planning.set_not_applicable(eval_cell(supcon, "msp").key, "msp needs logits; supcon trains no linear head");
    if (seed == 0) {
      run(session, eval_cell(ce, "mds"), eval_result({0.99, 0.99, 0.99, 1}, {0.01, 0.01, 0.01, 0}));
    } else {
      QueueStore& queue = session.queue();
      queue.fail(queue.claim(eval_cell(ce, "mds").key, context()).value().run_uid, CellState::failed,
                 "singular covariance");
    }
  }
}

/// One transaction: one write to disk instead of fifty.
inline void fill_sample(Session& session) {
  session.in_transaction([&] { fill_sample_step_by_step(session); });
}

}  // namespace nearfar::testing
