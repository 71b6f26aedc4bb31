#include "base/error.h"
#include "device/device.h"
#include "engine/bench_runs.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "host/call.h"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>

namespace nearfar {
namespace {

/// A file, not a name, as the parent made it.
bool is_file(const std::string& word) { return word.starts_with('/'); }

class Finder {
 public:
  explicit Finder(const wire::BenchJob& job) : job_(job) {}

  LoadedPlugin find(const std::string& word, std::optional<PluginKind> kind) {
    if (is_file(word)) return load_plugin(word);
    if (!registry_) registry_.emplace(plugin_search(job_.directories, job_.installed));
    if (kind) return registry_->find(*kind, word);
    const LoadedPlugin* postprocessor = look_up(PluginKind::postprocessor, word);
    const LoadedPlugin* loss = look_up(PluginKind::loss, word);
    if (postprocessor != nullptr && loss != nullptr) {
      throw Error(ErrorKind::config,
                  fmt::format("'{}' is a postprocessor ({}) and a loss ({}); say which: --kind postprocessor or --kind "
                              "loss",
                              word, postprocessor->description().path, loss->description().path));
    }
    if (postprocessor != nullptr) return *postprocessor;
    return loss != nullptr ? *loss : registry_->find(PluginKind::postprocessor, word);  // which says what there is
  }

 private:
  const LoadedPlugin* look_up(PluginKind kind, const std::string& word) const {
    for (const LoadedPlugin& plugin : registry_->plugins()) {
      if (plugin.kind() == kind && plugin.name() == plugin_key(word)) return &plugin;
    }
    return nullptr;
  }

  const wire::BenchJob& job_;
  std::optional<PluginRegistry> registry_;
};

std::optional<PluginKind> kind_of(const std::string& name) {
  if (name.empty()) return std::nullopt;
  return name == plugin_kind_name(PluginKind::loss) ? PluginKind::loss : PluginKind::postprocessor;
}

/// A known one that is given the same.
std::string built_in(const BenchSide& subject) {
  if (subject.plugin.kind() == PluginKind::loss)
    return traits_of(subject.plugin, subject.params).head == "linear" ? "ce" : "supcon";
  const Needs needs = subject.plugin.needs();
  if (observes(needs)) return "odin";
  return (needs & ~Needs{kLogits | kTrain | kValidation}) == 0 ? "msp" : "knn";
}

BenchSide side_of(LoadedPlugin plugin, const std::vector<std::string>& assignments) {
  ParamMap params = params_from_text(plugin.params(), assignments, plugin.label());
  return {std::move(plugin), std::move(params)};
}

BenchSide reference_of(const wire::BenchJob& job, const BenchSide& subject, Finder& finder) {
  const std::string word = job.reference.word.empty() ? built_in(subject) : job.reference.word;
  LoadedPlugin plugin = finder.find(word, subject.plugin.kind());
  if (plugin.kind() != subject.plugin.kind()) {
    throw Error(ErrorKind::config, fmt::format("{} cannot be measured against {}: both have to be of one kind",
                                               subject.plugin.label(), plugin.label()));
  }
  // The same method built in another way is meant to do the same.
  const bool is_twin = job.reference.assignments.empty() && plugin.name() == subject.plugin.name();
  return side_of(std::move(plugin), is_twin ? job.subject.assignments : job.reference.assignments);
}

wire::BenchPlugin plugin_facts(const BenchSide& side) {
  const PluginDescription& is = side.plugin.description();
  const auto document = description_to_json(is);
  return {.name = is.name,
          .version = is.version,
          .tier = document.value("tier", "exact"),
          .path = is.path,
          .source_hash = is.source_hash,
          .binary_hash = is.binary_hash,
          .params = canonical_params(validate(is.params, side.params, side.plugin.label()).values()),
          .compiler = is.build_tag.compiler};
}

std::string input_of(const BenchSide& subject, const BenchSide& reference) {
  if (subject.plugin.kind() == PluginKind::loss) return "batch";
  return observes(subject.plugin.needs() | reference.plugin.needs()) ? "network" : "features";
}

}  // namespace

void bench(const wire::BenchJob& job) {
  const at::Device device = prepare_torch(job.compute);
  Finder finder(job);
  const BenchSide subject = side_of(finder.find(job.subject.word, kind_of(job.kind)), job.subject.assignments);
  const BenchSide reference = reference_of(job, subject, finder);
  wire::BenchFacts facts{.kind = std::string(plugin_kind_name(subject.plugin.kind())),
                         .input = input_of(subject, reference),
                         .subject = plugin_facts(subject),
                         .reference = plugin_facts(reference),
                         .torch = NEARFAR_TORCH_VERSION,
                         .cpu_capability = at::get_cpu_capability(),
                         .build_type = NEARFAR_BUILD_TYPE,
                         .device = device.is_cpu() ? "" : device_facts(device).name};
  if (job.size) {
    at::Generator generator = at::globalContext().defaultGenerator(device);
    generator.set_current_seed(1);  // for methods that draw
    const BenchClock clock(job.repeat, device);
    const auto run = facts.input == "batch"     ? bench_losses
                     : facts.input == "network" ? bench_in_network
                                                : bench_on_features;
    facts.measures = run(subject, reference, *job.size, clock, device);
  }
  send_result(facts);
}

}  // namespace nearfar
