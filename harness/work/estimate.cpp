#include "work/estimate.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>

namespace nearfar {
namespace {

/// "cuda:1" → "cuda".
std::string device_kind(const std::string& device) { return device.substr(0, device.find(':')); }

std::int64_t epochs_of(const ModelPlan& model) {
  const auto found = std::find_if(model.factors.begin(), model.factors.end(),
                                  [](const Factor& factor) { return factor.name == "train.epochs"; });
  const auto* count = found == model.factors.end() ? nullptr : std::get_if<std::int64_t>(&found->value);
  return count == nullptr ? 1 : *count;
}

class Estimation {
 public:
  Estimation(const Plan& plan, const std::vector<CostRow>& costs, std::size_t jobs)
      : plan_(plan), seconds_(plan.models.size(), 0) {
    result_.jobs = std::max<std::size_t>(1, jobs);
    const std::string device = device_kind(plan.experiment.device);
    for (const CostRow& cost : costs) {
      if (device_kind(cost.device) == device)
        costs_[{cost.kind, cost.benchmark, cost.architecture, cost.what}].push_back(&cost);
    }
  }

  std::optional<Estimate> result() {
    for (const TrainCell& one : plan_.trains)
      add(one.cell, CellKind::train, one.model, plan_.models[one.model].training,
          plan_.models[one.model].training_params);
    for (const FeaturesCell& one : plan_.features) add(one.cell, CellKind::features, one.model, one.set, "");
    for (const AccuracyCell& one : plan_.accuracies) add(one.cell, CellKind::accuracy, one.model, "", "");
    for (const EvalCell& one : plan_.evals) {
      if (!one.applicable) continue;
      const PostprocessorPlan& with = plan_.postprocessors[one.postprocessor];
      add(one.cell, CellKind::eval, one.model, plan_.plugin_of(with).name, with.shown);
    }
    if (result_.known == 0) return std::nullopt;
    double all = 0, longest = 0;
    for (const double one : seconds_) {
      all += one;
      longest = std::max(longest, one);
    }
    result_.seconds = std::max(all / static_cast<double>(result_.jobs), longest);
    for (const CostRow* row : used_) result_.runs += row->runs;
    return result_;
  }

 private:
  using What = std::tuple<CellKind, std::string, std::string, std::string>;

  void add(const Cell& cell, CellKind kind, std::size_t index, const std::string& what, const std::string& params) {
    if (!cell.will_run) return;
    const ModelPlan& model = plan_.models[index];
    const BenchmarkPlan& benchmark = plan_.benchmark_of(model);
    const auto found = costs_.find({kind, benchmark.benchmark.name, model.architecture, what});
    if (found == costs_.end()) {
      ++result_.unknown;
      return;
    }
    // The rows that are most like it; of two likenesses data weigh more than parameters, and these than threads.
    const auto likeness = [&](const CostRow& row) {
      if (row.data_hash != benchmark.manifest.hash && row.flags != model.flags) return -1;
      return (row.data_hash == benchmark.manifest.hash ? 4 : 0) + (row.params == params ? 2 : 0) +
             (row.threads == plan_.experiment.threads ? 1 : 0);
    };
    int best = 0;
    for (const CostRow* row : found->second) best = std::max(best, likeness(*row));
    double seconds = 0;
    std::int64_t units = 0;
    for (const CostRow* row : found->second) {
      const bool by_epoch = kind == CellKind::train;
      if (likeness(*row) != best || (by_epoch && row->epochs == 0)) continue;
      seconds += row->seconds;
      units += by_epoch ? row->epochs : row->runs;
      used_.insert(row);
    }
    if (units == 0) {
      ++result_.unknown;
      return;
    }
    ++result_.known;
    seconds_[index] +=
        seconds / static_cast<double>(units) * static_cast<double>(kind == CellKind::train ? epochs_of(model) : 1);
  }

  const Plan& plan_;
  std::vector<double> seconds_;  // of each model
  std::map<What, std::vector<const CostRow*>> costs_;
  std::set<const CostRow*> used_;
  Estimate result_;
};

}  // namespace

std::optional<Estimate> estimate(const Plan& plan, const std::vector<CostRow>& costs, std::size_t jobs) {
  return Estimation(plan, costs, jobs).result();
}

}  // namespace nearfar
