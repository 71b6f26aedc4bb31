/// large_database EXPERIMENT.toml OUT PLUGINS: the database that `nearfar run EXPERIMENT.toml --out OUT` would leave,
/// in seconds: the same plan, every cell finished through the store's interface, with made-up numbers. Cells share a
/// few files, so that plan finds them. For tests of size; NEARFAR_ENGINE and NEARFAR_SHARE say where those of the build
/// lie.
#include "base/error.h"
#include "base/files.h"
#include "base/locations.h"
#include "store/process.h"
#include "work/engine_client.h"
#include "work/put.h"

#include <cstdio>
#include <exception>
#include <functional>
#include <vector>

namespace nearfar {
namespace {

/// In [0.5, 1), the same for the same text.
double made_up(const std::string& text) {
  return 0.5 + static_cast<double>(std::hash<std::string>()(text) % 100'000) / 200'000;
}

class Filler {
 public:
  Filler(Plan& plan, Session& session) : plan_(plan), session_(session), put_(put_plan(plan, session)) {}

  void fill() {
    context_ = {.owner = owner_of_this_process(), .engine_version = "0", .numerics = std::to_string(kNumericsVersion)};
    context_.location = session_.planning().put_location(plan_.out);
    Outcome trained{.train_seconds = 60, .epochs = 2, .train_loss = 0.1};
    trained.artifacts = {file("best.safetensors")};
    trained.curve = {{"train_loss", 0, 0.5}, {"train_loss", 1, 0.1}};
    Outcome passed{.artifacts = {file("manifest.json")}};
    for (const TrainCell& cell : plan_.trains) finish(cell.cell.key, put_.plugin_ids[cell.plugin], trained);
    for (const FeaturesCell& cell : plan_.features) finish(cell.cell.key, 0, passed);
    Outcome measured{.classifier = "linear", .artifacts = {file("quality.json")}};
    for (const AccuracyCell& cell : plan_.accuracies) {
      measured.metrics = {{"ood", "id", "test", "accuracy", made_up(cell.cell.key)}};
      finish(cell.cell.key, 0, measured);
    }
    for (const EvalCell& cell : plan_.evals) eval(cell);
  }

 private:
  ArtifactRow file(const std::string& name) {
    write_file_atomic(plan_.out / name, "content");
    return {name, name, "", 7};
  }

  void eval(const EvalCell& cell) {
    if (!cell.applicable) return;
    Outcome outcome;
    for (const std::string& set : plan_.benchmark_of(plan_.models[cell.model]).scored_sets) {
      outcome.scores.push_back({set, "best.safetensors", "", 100});
      const std::size_t slash = set.find('/');
      if (slash == std::string::npos) continue;
      for (const char* metric : {"auroc", "fpr95", "aupr_in", "aupr_out"}) {
        outcome.metrics.push_back(
            {"ood", set.substr(0, slash), set.substr(slash + 1), metric, made_up(cell.cell.key + set + metric)});
      }
    }
    finish(cell.cell.key, put_.plugin_ids[plan_.postprocessors[cell.postprocessor].plugin], outcome);
  }

  void finish(const std::string& key, std::int64_t plugin, const Outcome& outcome) {
    context_.plugin_id = plugin;
    if (const auto lease = session_.queue().claim(key, context_)) session_.queue().finish(lease->run_uid, outcome);
  }

  Plan& plan_;
  Session& session_;
  PutPlan put_;
  RunContext context_;
};

int fill(const std::filesystem::path& experiment, const std::filesystem::path& out,
         const std::filesystem::path& plugins) {
  Plan plan = make_plan({.experiment = load_experiment({experiment}, {}),
                         .benchmark_folders = benchmark_folders({experiment}),
                         .plugin_dirs = {plugins},
                         .out = out},
                        engine_asker());
  Session session = Session::open(plan.database);
  session.in_transaction([&] { Filler(plan, session).fill(); });
  std::printf("%lld cells\n", static_cast<long long>(plan.cell_count()));
  return 0;
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  if (argc != 4) {
    (void)std::fprintf(stderr, "usage: large_database EXPERIMENT.toml OUT PLUGINS\n");
    return 4;
  }
  try {
    return nearfar::fill(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
}
