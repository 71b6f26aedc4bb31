#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "config/experiment.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "features/accuracy.h"
#include "features/extract.h"
#include "features/folder.h"
#include "host/call.h"
#include "train/trainer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

/// The guarded plugin as the trainer wants it.
class GuardedLoss final : public Loss {
 public:
  explicit GuardedLoss(LossHandle& handle) : handle_(handle) {}
  LossTraits traits() const override { return handle_.traits(); }
  void prepare(std::int64_t classes, std::int64_t width) override { handle_.prepare(classes, width); }
  at::Tensor forward(const LossInput& input) override { return handle_.forward(input); }
  std::vector<LossTensor> state() override { return handle_.state(); }

 private:
  LossHandle& handle_;
};

json history_json(const std::vector<EpochRecord>& history) {
  json rows = json::array();
  for (const EpochRecord& epoch : history) {
    rows.push_back({{"epoch", epoch.epoch},
                    {"loss", epoch.loss},
                    {"learning_rate", epoch.learning_rate},
                    {"val_accuracy", nullptr}});
    if (epoch.val_accuracy) rows.back()["val_accuracy"] = *epoch.val_accuracy;
  }
  return rows;
}

/// Accuracy on `test` by the model's classifier; leaves the features of both sets in the cache, where the evaluation
/// finds them.
double test_accuracy(const json& job, const JobImages& images, const fs::path& checkpoint, const ImageSet& train,
                     const ImageSet& test) {
  const auto network = load_network(checkpoint);
  const fs::path folder = fs::path(job.at("out").get<std::string>()) / job.at("features").get<std::string>();
  const std::string weights = sha256_file(checkpoint);
  const auto features = [&](const ImageSet& set) {
    static_cast<void>(ensure_features(
        folder / set.name, {.checkpoint = weights, .images = set.hash, .preprocess = images.preprocess()},
        [&]() -> Network& { return *network; }, images.normalization(),
        [&] {
          return images.open({set.name, set.hash});
        }));
    return FeatureFolder(folder).set(set.name, network->has_classifier() ? kLogits : kFeatures);
  };
  const FeatureBatch of_test = features(test), of_train = features(train);
  if (network->has_classifier()) {
    write_head(folder, network->head());
    return linear_accuracy(of_test.logits, of_test.labels).accuracy;
  }
  return ncm_accuracy(of_train.features, of_train.labels, images.classes(), of_test.features, of_test.labels).accuracy;
}

const ImageSet* find(const std::vector<ImageSet>& sets, std::string_view name) {
  const auto found = std::find_if(sets.begin(), sets.end(), [&](const ImageSet& set) { return set.name == name; });
  return found == sets.end() ? nullptr : &*found;
}

json artifact(const json& job, std::string_view name, const fs::path& file) {
  return {{"name", name},
          {"path", fs::relative(file, job.at("out").get<std::string>()).string()},
          {"sha256", sha256_file(file)},
          {"bytes", fs::file_size(file)}};
}
}  // namespace

void train_cell(const json& job) {
  prepare_torch(job);
  const LoadedPlugin plugin = plugin_of(job.at("plugin"));
  LossHandle handle(plugin, params_of(job.at("plugin")), plugin.label());
  GuardedLoss loss(handle);
  const JobImages images(job);
  const std::vector<ImageSet> sets = images.load(planned_sets(job.at("sets")));
  const ImageSet *train_set = find(sets, "train"), *val_set = find(sets, "val"), *test_set = find(sets, "test");
  NEARFAR_ASSERT(train_set != nullptr && test_set != nullptr);

  const std::string label = job.at("label");
  TrainJob work;
  work.identity = job.at("cell");
  work.recipe = recipe_from_json(job.at("recipe").dump());
  work.seed = job.at("seed").get<std::uint64_t>();
  work.train = images.view(*train_set);
  if (val_set != nullptr) work.val = images.view(*val_set);
  work.network = network_spec(job.at("architecture"), work.recipe, handle.traits(), work.train, images.classes());
  work.folder = fs::path(job.at("out").get<std::string>()) / job.at("folder").get<std::string>();
  work.callbacks.progress = [&](const TrainProgress& now) {
    send_progress(static_cast<double>(now.step), static_cast<double>(now.total_steps),
                  fmt::format("{} epoch {}/{} loss {:.3f}", label, now.epoch + 1, work.recipe.epochs, now.loss));
  };
  work.callbacks.should_stop = stop_requested;
  // The handle guards forward(); what is left is backward() through autograd functions that the plugin may bring.
  work.callbacks.guard = [&](const std::function<void()>& call) {
    try {
      call();
    } catch (const Error&) {
      throw;
    } catch (...) {
      rethrow_plugin_error(plugin.label(), "backward");
    }
  };
  log_info(fmt::format("{}: {} images, {} epochs", label, train_set->count, work.recipe.epochs));
  const TrainResult result = train(work, loss);
  if (!result.finished) throw Error(ErrorKind::interrupted, fmt::format("{}: stopped after a checkpoint", label));

  const double accuracy = test_accuracy(job, images, result.best, *train_set, *test_set);
  json message{{"type", "trained"},
               {"cell", job.at("cell")},
               {"seconds", result.seconds},
               {"history", history_json(result.history)},
               {"best_epoch", result.best_epoch},
               {"val_accuracy", nullptr},
               {"test_accuracy", accuracy},
               {"classifier", handle.traits().head == HeadKind::linear ? "linear" : "ncm"},
               {"artifacts", {artifact(job, "checkpoint", result.best), artifact(job, "last", result.last)}}};
  if (result.val_accuracy) message["val_accuracy"] = *result.val_accuracy;
  log_info(fmt::format("{}: test accuracy {:.4f} in {:.1f} s", label, accuracy, result.seconds));
  send(message);
}

}  // namespace nearfar
