#include "work/compare.h"

#include "base/error.h"
#include "work/changes.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// Empty if every file of the finished cell is there with the size it had. Error(store) if this machine does not see
/// the folder that another one has them in: it must not throw away what that one did.
std::string missing_file(const StoredCell& stored) {
  if (!stored.elsewhere.empty() && !stored.files.empty()) {
    throw Error(
        ErrorKind::store,
        fmt::format("{} holds files of finished cells and is not seen on this machine; all machines that share a "
                    "server need the output folder at the same path: mount it here, or give this machine a "
                    "database of its own with --db",
                    stored.elsewhere));
  }
  for (const StoredFile& file : stored.files) {
    struct stat status {};
    if (::stat(file.path.c_str(), &status) != 0) return fmt::format("{} is gone", file.path);
    if (file.bytes && status.st_size != *file.bytes)
      return fmt::format("{} has {} bytes, had {}", file.path, status.st_size, *file.bytes);
  }
  return "";
}

void decide(Cell& cell, const std::optional<StoredCell>& stored) {
  cell.will_run = true;
  if (!stored) return;
  cell.state = state_name(stored->state);
  switch (stored->state) {
    case CellState::ok: {
      const std::string missing = missing_file(*stored);
      cell.will_run = !missing.empty();
      cell.reason = cell.will_run ? "done, but " + missing : "done";
      break;
    }
    case CellState::planned:
      cell.reason = stored->attempt > 0 ? "interrupted before" : "planned before";
      break;
    case CellState::running:
      cell.reason = fmt::format("running ({}), goes on if that process is gone", stored->owner);
      break;
    default:
      cell.reason = fmt::format("{} before: {}", cell.state, stored->message);
      break;
  }
}

/// Of the files of a finished train cell.
fs::path checkpoint_of(const StoredCell& stored) {
  for (const StoredFile& file : stored.files) {
    if (file.path.ends_with("/best.safetensors")) return file.path;
  }
  return {};
}

/// The folder above cache/KEY/SET/manifest.json, if new sets can be put beside it.
std::optional<fs::path> features_root_of(const StoredCell& stored, const fs::path& relative) {
  for (const StoredFile& file : stored.files) {
    const std::string end = "/" + relative.string();
    if (!file.path.ends_with(end)) continue;
    fs::path root = file.path.substr(0, file.path.size() - end.size());
    if (::access(root.c_str(), W_OK) == 0) return root;
  }
  return std::nullopt;
}

/// Of a model of which nothing has been made yet.
ModelPlaces places_of_a_new(const Plan& plan, const ModelPlan& model) {
  const fs::path out = fs::absolute(plan.out).lexically_normal();
  return {.checkpoint = model.origin == ModelOrigin::trained ? out / cell_folder(model.key) / "best.safetensors"
                                                             : fs::absolute(model.file),
          .features_root = out};
}

fs::path manifest_of(const ModelPlan& model, const FeaturesCell& features) {
  return feature_folder(model.key) / features.set / "manifest.json";
}

class Comparison {
 public:
  Comparison(Plan& plan, const PlanStore* store, const Asked& asked)
      : plan_(plan), asked_(asked), places_(plan.models.size()) {
    // What does not apply is not asked for: of a large matrix that is often half of it.
    const auto ask = [&](const auto& cells) {
      std::vector<std::string> keys;
      std::vector<std::size_t> places;
      for (std::size_t i = 0; i < cells.size(); ++i) {
        if (cells[i].cell.state == "not-applicable") continue;
        keys.push_back(cells[i].cell.key);
        places.push_back(i);
      }
      std::vector<std::optional<StoredCell>> all(cells.size());
      if (store == nullptr) return all;
      std::vector<std::optional<StoredCell>> found = store->stored(keys);
      for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = std::move(found[i]);
      return all;
    };
    trains_ = ask(plan.trains);
    features_ = ask(plan.features);
    accuracies_ = ask(plan.accuracies);
    evals_ = ask(plan.evals);
  }

  std::vector<ModelPlaces> run() {
    for (std::size_t i = 0; i < plan_.models.size(); ++i) places_[i] = places_of_a_new(plan_, plan_.models[i]);
    if (asked_) find_needed_models();
    for (std::size_t i = 0; i < plan_.trains.size(); ++i) train(i);
    for (std::size_t i = 0; i < plan_.accuracies.size(); ++i) {
      AccuracyCell& accuracy = plan_.accuracies[i];
      from_model(accuracy.cell, accuracies_[i], accuracy.model);
      drop_unasked(accuracy.cell, CellKind::accuracy, accuracy.model);
      if (accuracy.cell.will_run) want(accuracy.model, accuracy_sets(plan_, plan_.models[accuracy.model]));
    }
    for (std::size_t i = 0; i < plan_.evals.size(); ++i) eval(i);
    for (std::size_t i = 0; i < plan_.features.size(); ++i) features(i);
    return std::move(places_);
  }

 private:
  bool is_asked(const Cell& cell, CellKind kind, std::size_t model) const {
    return !asked_ || asked_(cell, kind, plan_.models[model]);
  }

  void drop_unasked(Cell& cell, CellKind kind, std::size_t model) {
    if (is_asked(cell, kind, model)) return;
    if (cell.will_run) cell.reason = "not asked for";
    cell.will_run = cell.needed = false;
  }

  /// Models whose cells are asked for and are to run: they are trained, asked for or not.
  void find_needed_models() {
    const auto look = [&](Cell cell, const std::optional<StoredCell>& stored, CellKind kind, std::size_t model) {
      decide(cell, stored);
      if (cell.will_run && is_asked(cell, kind, model)) needed_models_.insert(model);
    };
    for (std::size_t i = 0; i < plan_.features.size(); ++i)
      look(plan_.features[i].cell, features_[i], CellKind::features, plan_.features[i].model);
    for (std::size_t i = 0; i < plan_.accuracies.size(); ++i)
      look(plan_.accuracies[i].cell, accuracies_[i], CellKind::accuracy, plan_.accuracies[i].model);
    for (std::size_t i = 0; i < plan_.evals.size(); ++i) {
      if (plan_.evals[i].applicable) look(plan_.evals[i].cell, evals_[i], CellKind::eval, plan_.evals[i].model);
    }
  }

  void train(std::size_t i) {
    TrainCell& train = plan_.trains[i];
    decide(train.cell, trains_[i]);
    if (asked_ && !(train.cell.will_run && needed_models_.contains(train.model)))
      drop_unasked(train.cell, CellKind::train, train.model);
    if (train.cell.will_run) {
      retrained_.insert(train.model);
    } else if (const fs::path file = trains_[i] ? checkpoint_of(*trains_[i]) : fs::path(); !file.empty()) {
      places_[train.model].checkpoint = file;
    }
  }

  void from_model(Cell& cell, const std::optional<StoredCell>& stored, std::size_t model) {
    decide(cell, stored);
    if (cell.will_run || !retrained_.contains(model)) return;
    cell.will_run = true;  // whether that changes a number is for the run to show
    cell.reason = "its model is trained again";
  }

  void eval(std::size_t i) {
    EvalCell& eval = plan_.evals[i];
    if (!eval.applicable) return;
    from_model(eval.cell, evals_[i], eval.model);
    drop_unasked(eval.cell, CellKind::eval, eval.model);
    if (!eval.cell.will_run) return;
    const PostprocessorPlan& with = plan_.postprocessors[eval.postprocessor];
    want(eval.model, plan_.benchmark_of(plan_.models[eval.model]).scored_sets);
    want(eval.model, fit_sets(plan_.plugin_of(with), with.grid));
  }

  void want(std::size_t model, const std::vector<std::string>& sets) {
    wanted_[model].insert(sets.begin(), sets.end());
  }

  void features(std::size_t i) {
    FeaturesCell& features = plan_.features[i];
    decide(features.cell, features_[i]);
    const fs::path relative = manifest_of(plan_.models[features.model], features);
    if (!features.cell.will_run) {
      if (const auto root = features_root_of(*features_[i], relative)) places_[features.model].features_root = *root;
      return;
    }
    if (wanted_[features.model].contains(features.set)) return;
    // Asked for by itself.
    if (asked_ && wanted_[features.model].empty() && features.cell.state != "ok" &&
        is_asked(features.cell, CellKind::features, features.model))
      return;
    features.cell.will_run = false;
    features.cell.needed = false;
    features.cell.reason =
        features.cell.state == "ok" ? "done; its files are gone, and nothing needs them" : "not needed";
  }

  Plan& plan_;
  const Asked& asked_;
  std::vector<ModelPlaces> places_;
  std::vector<std::optional<StoredCell>> trains_, features_, accuracies_, evals_;
  std::set<std::size_t> retrained_, needed_models_;
  std::map<std::size_t, std::set<std::string>> wanted_;
};

}  // namespace

std::vector<ModelPlaces> compare(Plan& plan, const PlanStore* store, const Asked& asked) {
  std::vector<ModelPlaces> places = Comparison(plan, store, asked).run();
  if (store != nullptr && has_new(plan)) tell_changes(plan, store->former_cells(plan.experiment.name));
  return places;
}

ModelPlaces places_now(const Plan& plan, const PlanStore& store, std::size_t model) {
  const ModelPlan& of = plan.models[model];
  ModelPlaces places = places_of_a_new(plan, of);
  const auto cells = std::ranges::equal_range(plan.features, model, {}, &FeaturesCell::model);
  std::vector<std::string> keys{of.key};  // of its train cell, if it has one
  for (const FeaturesCell& features : cells) keys.push_back(features.cell.key);
  const std::vector<std::optional<StoredCell>> stored = store.stored(keys);
  if (of.origin == ModelOrigin::trained && stored[0]) {
    if (fs::path file = checkpoint_of(*stored[0]); !file.empty()) places.checkpoint = std::move(file);
  }
  std::size_t i = 0;
  for (const FeaturesCell& features : cells) {
    const std::optional<StoredCell>& one = stored[++i];
    if (!one) continue;
    if (auto root = features_root_of(*one, manifest_of(of, features))) places.features_root = std::move(*root);
  }
  return places;
}

}  // namespace nearfar
