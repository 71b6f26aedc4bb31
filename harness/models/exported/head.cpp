#include "models/exported/head.h"

#include "base/error.h"
#include "models/exported/operator_table.h"

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>

namespace nearfar::exported {
namespace {

// Dropout is off in evaluation mode; the others copy.
constexpr auto kNothing = std::to_array<std::string_view>({"alias", "clone", "contiguous", "detach", "dropout"});

const Argument* argument_of(const Node& node, std::string_view name) {
  const auto found =
      std::find_if(node.inputs.begin(), node.inputs.end(), [&](const Argument& a) { return a.name == name; });
  return found == node.inputs.end() || found->kind == Argument::Kind::none ? nullptr : &*found;
}

ValueId tensor_of(const Node& node, std::string_view name) {
  const Argument* argument = argument_of(node, name);
  return argument != nullptr && argument->kind == Argument::Kind::tensor ? argument->operands[0].value : kNoValue;
}

/// The value of something that is made of constants alone; undefined for what is not.
at::Tensor constant(const Program& program, ValueId id) {
  if (id == kNoValue) return {};
  try {
    const c10::AutoGradMode no_gradients(false);
    return program.run(program.slice(kNoValue, {id}), {}).front();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

Head find_head(const Program& program) {
  const Graph& graph = program.graph();
  const auto producer = [&](ValueId id) -> const Node* {
    if (id == kNoValue) return nullptr;
    const std::int32_t index = graph.values[static_cast<std::size_t>(id)].producer;
    return index < 0 ? nullptr : &graph.nodes[static_cast<std::size_t>(index)];
  };
  const Node* node = producer(graph.output);
  while (node != nullptr && std::binary_search(kNothing.begin(), kNothing.end(), aten_name(node->target)))
    node = producer(node->inputs.empty() || node->inputs[0].kind != Argument::Kind::tensor
                        ? kNoValue
                        : node->inputs[0].operands[0].value);
  if (node == nullptr) return {};
  const std::string_view name = aten_name(node->target);
  Head head;
  bool without_bias = false;
  if (name == "linear") {
    head = {tensor_of(*node, "input"), constant(program, tensor_of(*node, "weight")),
            constant(program, tensor_of(*node, "bias"))};
    without_bias = argument_of(*node, "bias") == nullptr;
  } else if (name == "addmm" && argument_of(*node, "alpha") == nullptr && argument_of(*node, "beta") == nullptr) {
    head = {tensor_of(*node, "mat1"), constant(program, tensor_of(*node, "mat2")),
            constant(program, tensor_of(*node, "self"))};
  } else if (name == "mm") {
    head = {tensor_of(*node, "self"), constant(program, tensor_of(*node, "mat2")), {}};
    without_bias = true;
  }
  if (!head.weight.defined() || head.weight.dim() != 2 || head.feature == kNoValue) return {};
  if (name != "linear") head.weight = head.weight.t();
  if (without_bias) head.bias = at::zeros({head.weight.size(0)}, head.weight.options());
  const Value& feature = graph.values[static_cast<std::size_t>(head.feature)];
  const Value& logits = graph.values[static_cast<std::size_t>(graph.output)];
  const bool fits = head.bias.defined() && head.bias.dim() == 1 && head.bias.size(0) == head.weight.size(0) &&
                    head.weight.scalar_type() == at::kFloat && feature.has_shape && feature.shape.size() == 2 &&
                    feature.shape[1].size == head.weight.size(1) && logits.shape[1].size == head.weight.size(0);
  return fits ? head : Head{};
}

}  // namespace nearfar::exported
