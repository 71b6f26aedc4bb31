#include "base/error.h"
#include "base/npy.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "models/exported/exported_network.h"
#include "models/torchscript_network.h"
#include "wire/facts.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nearfar {
namespace {

constexpr std::int64_t kBatch = 16;

at::Tensor array(const std::string& file, std::vector<std::int64_t> expected) {
  const NpyArray read(file);
  const bool fits = read.type() == NpyType::float32 && read.shape().size() == expected.size() &&
                    std::equal(expected.begin() + 1, expected.end(), read.shape().begin() + 1) && read.shape()[0] > 0;
  if (!fits) {
    expected.erase(expected.begin());
    throw Error(ErrorKind::data,
                fmt::format("{}: is {} [{}], the network wants float32 [N,{}]", file, npy_type_name(read.type()),
                            fmt::join(read.shape(), ","), fmt::join(expected, ",")));
  }
  at::Tensor tensor = at::empty(read.shape(), at::kFloat);
  std::memcpy(tensor.mutable_data_ptr(), read.bytes().data(), read.bytes().size());
  return tensor;
}

wire::ReferenceFacts compare(Network& network, const wire::NetworkJob& job) {
  const NetworkSpec& spec = network.spec();
  const at::Tensor inputs = array(job.inputs, {0, spec.in_channels, spec.height, spec.width});
  const at::Tensor logits = array(job.logits, {0, spec.classes});
  if (inputs.size(0) != logits.size(0))
    throw Error(ErrorKind::data,
                fmt::format("{} has {} rows, {} has {}", job.inputs, inputs.size(0), job.logits, logits.size(0)));
  const EvalScope scope(network);
  wire::ReferenceFacts facts{.rows = inputs.size(0), .largest = 0, .largest_logit = logits.abs().max().item<double>()};
  for (std::int64_t first = 0; first < facts.rows; first += kBatch) {
    const std::int64_t count = std::min(kBatch, facts.rows - first);
    const at::Tensor found = network.output(network.features(inputs.narrow(0, first, count)));
    const double apart = found.sub(logits.narrow(0, first, count)).abs().max().item<double>();
    if (std::isnan(facts.largest)) break;  // which agrees with nothing
    if (!(apart <= facts.largest)) facts.largest = apart;
  }
  return facts;
}

wire::NetworkFacts exported_facts(const wire::NetworkJob& job) {
  const auto network = open_exported(job.file, {.feature_node = job.feature_node,
                                                .map_nodes = job.map_nodes,
                                                .channels = job.channels,
                                                .height = job.height,
                                                .width = job.width});
  const ExportDescription is = network->description();
  wire::NetworkFacts facts{.channels = is.channels,
                           .height = is.height,
                           .width = is.width,
                           .batch = is.batch,
                           .classes = is.classes,
                           .feature_dim = is.feature_dim,
                           .stages = is.stages,
                           .parameters = is.parameters,
                           .has_features = !is.feature_node.empty(),
                           .has_head = is.has_head,
                           .feature_node = is.feature_node,
                           .without_float64 = is.without_float64,
                           .torch = is.torch_version};
  if (!job.inputs.empty()) facts.reference = compare(*network, job);
  if (!job.nodes) return facts;
  for (ExportNode& node : network->nodes())
    facts.nodes.push_back({std::move(node.name), std::move(node.target), std::move(node.shape)});
  return facts;
}

wire::NetworkFacts script_facts(const wire::NetworkJob& job) {
  const auto network = open_torchscript(job.file, job.channels, job.height, job.width);
  wire::NetworkFacts facts{.channels = job.channels,
                           .height = job.height,
                           .width = job.width,
                           .classes = network->spec().classes,
                           .feature_dim = network->feature_dim(),
                           .has_features = network->has_features()};
  for (const NamedTensor& named : network->named_tensors())
    facts.parameters += named.parameter ? named.tensor.numel() : 0;
  if (!job.inputs.empty()) facts.reference = compare(*network, job);
  return facts;
}

}  // namespace

void network(const wire::NetworkJob& job) {
  send_result(job.origin == "torchscript" ? script_facts(job) : exported_facts(job));
}

}  // namespace nearfar
