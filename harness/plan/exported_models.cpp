#include "base/error.h"
#include "base/hash.h"
#include "plan/foreign_models.h"
#include "plan/identity.h"
#include "plan/model_names.h"
#include "plan/reference_files.h"
#include "wire/jobs.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

wire::NetworkFacts describe_network(const Benchmark& on, const ForeignModel& entry, const fs::path& file,
                                    ModelOrigin origin, const AskEngine& ask) {
  const ReferenceFiles reference = reference_files(file);
  const auto text = [](const fs::path& path) { return path.empty() ? "" : fs::absolute(path).string(); };
  const wire::NetworkJob job{.origin = std::string(origin_name(origin)),
                             .file = text(file),
                             .feature_node = entry.feature_node,
                             .map_nodes = entry.map_nodes,
                             .channels = on.channels,
                             .height = on.height,
                             .width = on.width,
                             .inputs = text(reference.inputs),
                             .logits = text(reference.logits),
                             .nodes = false};
  wire::NetworkFacts facts;
  wire::read(ask("network", wire::to_json(job)), facts, "network");
  return facts;
}

void check_reference(const fs::path& file, const wire::NetworkFacts& facts) {
  if (!facts.reference || facts.reference->largest <= kReferenceTolerance * facts.reference->largest_logit) return;
  throw Error(
      ErrorKind::data,
      fmt::format("{}: computes other logits than Python stored in {}: they differ by {:.3g}, of logits up to {:.3g}; "
                  "export it again in evaluation mode, or remove the stored ones if they are another network's",
                  file.string(), reference_files(file).logits.string(), facts.reference->largest,
                  facts.reference->largest_logit));
}

std::string head_text(const wire::NetworkFacts& facts) {
  return facts.has_head ? "linear" : facts.has_features ? "of its own" : "unknown";
}

}  // namespace

ReferenceFiles reference_files(const fs::path& file) {
  const ReferenceFiles found{fs::path(file) += ".reference.inputs.npy", fs::path(file) += ".reference.logits.npy"};
  const bool inputs = fs::exists(found.inputs), logits = fs::exists(found.logits);
  if (inputs && logits) return found;
  if (!inputs && !logits) return {};
  throw Error(ErrorKind::data,
              fmt::format("{} is there, {} is not; keep both or none", (inputs ? found.inputs : found.logits).string(),
                          (inputs ? found.logits : found.inputs).string()));
}

ModelPlan network_model(const Plan& plan, std::size_t benchmark, const ForeignModel& entry, const AskEngine& ask,
                        bool trust) {
  const Benchmark& on = plan.benchmarks[benchmark].benchmark;
  const bool exported = !entry.file.empty();
  const fs::path& file = exported ? entry.file : entry.torchscript;
  const char* key = exported ? "file" : "torchscript";
  if (!exported && !trust) {
    throw Error(
        ErrorKind::config,
        fmt::format("{}: model.torchscript '{}' is code, which would run with your rights; if you trust where it "
                    "comes from, add --trust, or export the module with torch.export.save and use model.file",
                    entry.where, file.string()));
  }
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored))
    throw Error(ErrorKind::data, fmt::format("{}: model.{} '{}' is not there", entry.where, key, file.string()));
  ModelPlan model{.origin = exported ? ModelOrigin::exported : ModelOrigin::torchscript,
                  .benchmark = benchmark,
                  .training = shown_name(entry),
                  .recipe = "foreign"};
  model.seed = entry.seed.value_or(0);
  model.file = file;
  model.weights = sha256_file(file);
  model.feature_node = entry.feature_node;
  model.map_nodes = entry.map_nodes;
  const wire::NetworkFacts facts = describe_network(on, entry, file, model.origin, ask);
  check_reference(file, facts);
  model.flags = check_classes(plan, benchmark, file, facts.classes);
  model.has_head = facts.has_head;
  model.has_features = facts.has_features;
  model.stages = facts.stages;
  model.architecture = entry.architecture.empty() ? file.stem().string() : entry.architecture;
  model.head = head_text(facts);
  model.note = fmt::format("{} {}{}", exported ? "exported network in" : "TorchScript in", file.string(),
                           facts.reference ? fmt::format(", {} stored outputs agree", facts.reference->rows) : "");
  // Neither its name nor its seed changes what it computes.
  model.key = sha256(json_object({{"kind", exported ? "\"exported\"" : "\"torchscript\""},
                                  {"weights", json_text(model.weights)},
                                  {"feature_node", entry.feature_node.empty() ? "" : json_text(entry.feature_node)},
                                  {"map_nodes", entry.map_nodes.empty() ? "" : nlohmann::json(entry.map_nodes).dump()},
                                  {"benchmark", json_text(on.name)}}));
  return model;
}

}  // namespace nearfar
