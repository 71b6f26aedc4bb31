#include "plan/benchmarks.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/identity.h"
#include "plan/postprocessors.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <thread>

namespace nearfar {
namespace {
using nlohmann::json;

LoadOptions load_options(const Experiment& experiment) {
  return {.data_root = experiment.data_root,
          .limit = experiment.limit,
          .allow_count_mismatch = experiment.allow_count_mismatch,
          .on_unreadable = experiment.on_unreadable == "skip" ? OnUnreadable::skip : OnUnreadable::fail,
          .follow_links = experiment.follow_links,
          .packed = experiment.packed,
          // Files are read for the first time by as many as a disk or a file server likes.
          .threads = static_cast<int>(std::max(8U, std::thread::hardware_concurrency())),
          .identity = experiment.identity == "stat" ? DataIdentity::stat : DataIdentity::contents};
}

bool has_set(const Benchmark& benchmark, std::string_view name) {
  return std::any_of(benchmark.sets.begin(), benchmark.sets.end(),
                     [&](const SetSpec& set) { return set.name == name; });
}

/// Sets whose files must be there: what is trained on and scored.
class NeededSets {
 public:
  NeededSets(const Benchmark& benchmark, const std::string& where) : benchmark_(benchmark), where_(where) {}

  void need(std::string_view name, std::string_view why) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) return;
    if (!has_set(benchmark_, name)) {
      throw Error(ErrorKind::config, fmt::format("{}: benchmark '{}' has no set '{}', which {} needs", where_,
                                                 benchmark_.name, name, why));
    }
    names_.emplace_back(name);
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  const Benchmark& benchmark_;
  const std::string& where_;
  std::vector<std::string> names_;
};

std::vector<std::string> needed_sets(const Plan& plan, std::size_t index, const BenchmarkPlan& of) {
  NeededSets needed(of.benchmark, of.where);
  for (const SetSpec& set : of.benchmark.sets) {
    if (set.group == "near" || set.group == "far" || set.group == "control") needed.need(set.name, "an evaluation");
  }
  needed.need("test", "an evaluation");
  for (const ProtocolSpec& protocol : of.protocols) {
    for (const std::string& set : protocol.csid) needed.need(set, "its protocol");
  }
  if (!plan.losses.empty()) {
    needed.need("train", "training");
    if (has_set(of.benchmark, "val")) needed.need("val", "training");
    if (plan.experiment.ood_val) {
      needed.need("val", "run.ood_val");
      needed.need("ood_val", "run.ood_val");
    }
  }
  for (const ModelPlan& model : plan.models) {
    if (model.benchmark == index && !model.has_classifier) needed.need("train", "accuracy by nearest class mean");
  }
  return needed.names();
}

/// Sets that postprocessors are fitted or searched on. One that is not there costs the cells of those that need it, not
/// the run: many have no validation set, or not the gigabytes of ImageNet's train set.
void add_fit_sets(const Plan& plan, BenchmarkPlan& into, std::vector<std::string>& names) {
  for (const PostprocessorPlan& postprocessor : plan.postprocessors) {
    for (const std::string& set : fit_sets(plan.plugin_of(postprocessor), postprocessor.grid)) {
      if (std::find(names.begin(), names.end(), set) != names.end() || into.absent.contains(set)) continue;
      const std::string why = has_set(into.benchmark, set)
                                  ? absence_of(into.benchmark, set, into.options)
                                  : fmt::format("benchmark '{}' has no such set", into.benchmark.name);
      if (why.empty()) {
        names.push_back(set);
      } else {
        into.absent.emplace(set, why);
      }
    }
  }
}

std::vector<std::string> scored_sets(const BenchmarkPlan& of) {
  std::set<std::string> pooled;
  for (const ProtocolSpec& protocol : of.protocols) pooled.insert(protocol.csid.begin(), protocol.csid.end());
  std::vector<std::string> sets{"test"};
  for (const std::string_view group : {"near", "far", "csid", "control"}) {
    for (const ManifestEntry& entry : of.manifest.sets) {
      if (entry.group == group && (group != "csid" || pooled.contains(entry.name))) sets.push_back(entry.name);
    }
  }
  return sets;
}

}  // namespace

bool BenchmarkPlan::has(std::string_view set) const {
  return std::any_of(manifest.sets.begin(), manifest.sets.end(),
                     [&](const ManifestEntry& one) { return one.name == set; });
}

const ManifestEntry& BenchmarkPlan::entry(std::string_view set) const {
  const auto found = std::find_if(manifest.sets.begin(), manifest.sets.end(),
                                  [&](const ManifestEntry& candidate) { return candidate.name == set; });
  if (found == manifest.sets.end()) {
    throw Error(ErrorKind::data,
                fmt::format("there is no image set '{}' in the data of benchmark '{}', but something in "
                            "the experiment needs that set",
                            set, benchmark.name));
  }
  return *found;
}

std::vector<BenchmarkPlan> open_benchmarks(const PlanRequest& request, const std::vector<NamedAt>& names) {
  std::vector<BenchmarkPlan> plans;
  for (const NamedAt& named : names) {
    BenchmarkPlan& plan = plans.emplace_back();
    plan.where = named.where;
    plan.benchmark = load_benchmark(named.name, request.benchmark_folders);
    plan.options = load_options(request.experiment);
    for (const std::string& protocol : request.experiment.protocols) {
      plan.protocols.push_back(plan.benchmark.protocol(protocol));
    }
    plan.identity = benchmark_identity(plan.benchmark);
    plan.pixels = json{{"shape", {plan.benchmark.channels, plan.benchmark.height, plan.benchmark.width}},
                       {"mean", plan.benchmark.mean},
                       {"std", plan.benchmark.std},
                       {"classes", plan.benchmark.classes.size()}}
                      .dump();
  }
  return plans;
}

void read_images(const Plan& plan, std::size_t benchmark, const ReadingProgress& reading, BenchmarkPlan& into) {
  std::vector<std::string> names = needed_sets(plan, benchmark, into);
  add_fit_sets(plan, into, names);
  LoadOptions options = into.options;
  options.reading = reading;
  use_manifest(plan.experiment, read_manifest(into.benchmark, names, options), into);
}

void use_manifest(const Experiment& experiment, Manifest manifest, BenchmarkPlan& into) {
  into.manifest = std::move(manifest);
  for (const ProtocolSpec& protocol : into.protocols) {
    for (const std::string& set : protocol.csid) static_cast<void>(into.entry(set));  // pooled whole or not at all
  }
  into.scored_sets = scored_sets(into);
  std::vector<std::string> flags;
  if (into.manifest.count_mismatch) flags.emplace_back("count-mismatch");
  if (!into.manifest.missing_classes.empty()) flags.emplace_back("missing-class");
  if (experiment.limit > 0) flags.emplace_back("partial");
  if (experiment.identity == "stat") flags.emplace_back("stat-identity");
  into.flags = join(flags, ";");
}

}  // namespace nearfar
