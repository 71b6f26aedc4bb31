#include "base/error.h"
#include "cli/verbs.h"
#include "plan/reference_files.h"
#include "work/engine_client.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <thread>

namespace nearfar {
namespace {

void print_text(const ExportCheckArguments& arguments, const wire::NetworkFacts& facts, bool agrees) {
  for (const wire::NetworkNode& node : facts.nodes)
    fmt::print("{:<28} {:<44} {}\n", node.name, node.target, node.shape);
  fmt::print("{}: exported by PyTorch {}, images {} x {} x {}{}, {} parameters\n", arguments.file.string(), facts.torch,
             facts.channels, facts.height, facts.width,
             facts.batch > 0 ? fmt::format(" in batches of {} (others are cut and filled up)", facts.batch) : "",
             facts.parameters);
  fmt::print("{} logits; {}; {} maps; {}\n", facts.classes,
             !facts.has_features ? "no feature: its last layer is not linear, name a node with --feature-node"
                                 : fmt::format("feature '{}' of {} values{}", facts.feature_node, facts.feature_dim,
                                               facts.has_head ? "" : ", of which the logits are no linear layer"),
             facts.stages,
             facts.without_float64.empty() ? "float64 copy: yes" : "no float64 copy: " + facts.without_float64);
  if (!facts.reference) {
    fmt::print(
        "no stored outputs to compare with (--inputs and --logits, or {}.reference.inputs.npy and .logits.npy)\n",
        arguments.file.filename().string());
    return;
  }
  fmt::print("{} stored outputs: the largest difference is {:.3g}, of logits up to {:.3g}: {}\n", facts.reference->rows,
             facts.reference->largest, facts.reference->largest_logit, agrees ? "they agree" : "NOT THE SAME");
}

}  // namespace

int export_check_verb(const ExportCheckArguments& arguments) {
  namespace fs = std::filesystem;
  ReferenceFiles reference{arguments.inputs, arguments.logits};
  if (reference.inputs.empty()) reference = reference_files(arguments.file);
  const auto text = [](const fs::path& path) { return path.empty() ? "" : fs::absolute(path).string(); };
  const wire::NetworkFacts facts = engine_network({.origin = "exported",
                                                   .file = fs::absolute(arguments.file).string(),
                                                   .feature_node = arguments.feature_node,
                                                   .map_nodes = arguments.map_nodes,
                                                   .inputs = text(reference.inputs),
                                                   .logits = text(reference.logits),
                                                   .nodes = arguments.nodes},
                                                  static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  const bool agrees =
      !facts.reference || facts.reference->largest <= kReferenceTolerance * facts.reference->largest_logit;
  if (arguments.json) {
    nlohmann::json document = wire::to_json(facts);
    document["agrees"] = facts.reference ? nlohmann::json(agrees) : nlohmann::json();
    fmt::print("{}\n", document.dump());
  } else {
    print_text(arguments, facts, agrees);
  }
  return agrees ? 0 : 1;
}

}  // namespace nearfar
