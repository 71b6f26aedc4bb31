#include "models/exported/program.h"

#include "base/error.h"
#include "device/transfer.h"
#include "models/mismatch.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace nearfar::exported {
namespace {
std::size_t at(std::int64_t id) { return static_cast<std::size_t>(id); }

template <class Visit>
void for_reads(const Node& node, Visit visit) {
  for (const Argument& argument : node.inputs) {
    for (const Operand& operand : argument.operands) {
      if (operand.value != kNoValue) visit(operand.value);
    }
  }
}
}  // namespace

Program::Program(Export exported, std::string source, std::vector<std::int64_t> image, at::Device device)
    : source_(std::move(source)), image_(std::move(image)), device_(device), constants_(std::move(exported.constants)) {
  for (at::Tensor& constant : constants_) constant = upload(constant, device_);
  effects_ = make_functional(exported.graph, source_);
  graph_ = std::make_shared<const Graph>(std::move(exported.graph));
  bind(slice(graph_->input, {graph_->output}).nodes, false);
}

void Program::bind(const std::vector<std::int32_t>& nodes, bool doubles) {
  calls_.resize(graph_->nodes.size());
  for (const std::int32_t index : nodes) {
    const Node& node = graph_->nodes[at(index)];
    calls_[at(index)] = std::make_shared<const Call>(node, doubles, device_, place_of(node, source_));
  }
}

std::int64_t Program::image_dimension(const Node& node) const {
  if (node.target != "torch.ops.aten.sym_size.int" || node.inputs.size() != 2) return -1;
  const Argument &tensor = node.inputs[0], &dimension = node.inputs[1];
  if (tensor.kind != Argument::Kind::tensor || tensor.operands[0].value != graph_->input) return -1;
  if (dimension.kind != Argument::Kind::integer || dimension.operands[0].value != kNoValue) return -1;
  const std::int64_t number = dimension.operands[0].number;
  return number >= 0 && number <= static_cast<std::int64_t>(image_.size()) ? number : -1;
}

Slice Program::slice(ValueId from, std::vector<ValueId> to) const {
  const Graph& graph = *graph_;
  const auto name = [&](ValueId id) { return printable(graph.values[at(id)].name); };
  std::vector<bool> seen(graph.values.size(), false), needed(graph.nodes.size(), false);
  std::vector<ValueId> open = to;
  std::vector<std::int32_t> open_nodes;
  const auto visit_node = [&](std::int32_t index) {
    if (needed[at(index)]) return;
    needed[at(index)] = true;
    const Node& node = graph.nodes[at(index)];
    if (image_dimension(node) >= 0 && from != graph.input && from != kNoValue) return;  // known without the images
    if (!calls_.empty() && !calls_[at(index)] && image_dimension(node) < 0)
      throw Error(ErrorKind::config, fmt::format("{}: '{}' does not lead to the logits", source_, name(to.front())));
    for_reads(node, [&](ValueId read) {
      if (read == graph.input && read != from) {
        throw Error(ErrorKind::config, from == kNoValue
                                           ? fmt::format("{}: '{}' depends on the images", source_, name(to.front()))
                                           : fmt::format("{}: '{}' is no cut: the images reach '{}' past it, by '{}'; "
                                                         "name a node that everything goes through",
                                                         source_, name(from), name(to.front()), printable(node.name)));
      }
      open.push_back(read);
    });
    for (const std::int32_t writer : effects_.after[at(index)]) open_nodes.push_back(writer);
  };
  while (!open.empty() || !open_nodes.empty()) {
    if (!open_nodes.empty()) {
      const std::int32_t index = open_nodes.back();
      open_nodes.pop_back();
      visit_node(index);
      continue;
    }
    const ValueId value = open.back();
    open.pop_back();
    if (seen[at(value)] || value == from) continue;
    seen[at(value)] = true;
    if (graph.values[at(value)].producer >= 0) visit_node(graph.values[at(value)].producer);
  }
  if (from != kNoValue && from != graph.input && effects_.written[at(from)])
    throw Error(ErrorKind::config,
                fmt::format("{}: '{}' is no cut: its memory is written to; name the node before or after it", source_,
                            name(from)));

  Slice slice{.from = from, .to = std::move(to)};
  std::vector<std::int32_t> last(graph.values.size(), -1);
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if (!needed[i]) continue;
    const auto place = static_cast<std::int32_t>(slice.nodes.size());
    slice.nodes.push_back(static_cast<std::int32_t>(i));
    for_reads(graph.nodes[i], [&](ValueId read) { last[at(read)] = place; });
    for (const Result& result : graph.nodes[i].results) {
      for (const ValueId made : result.values) {
        if (made != kNoValue) last[at(made)] = place;
      }
    }
  }
  slice.done.resize(slice.nodes.size());
  for (std::size_t value = 0; value < last.size(); ++value) {
    const auto id = static_cast<ValueId>(value);
    if (last[value] >= 0 && std::find(slice.to.begin(), slice.to.end(), id) == slice.to.end())
      slice.done[at(last[value])].push_back(id);
  }
  return slice;
}

std::vector<at::Tensor> Program::run(const Slice& slice, const at::Tensor& start) const {
  const Graph& graph = *graph_;
  Environment values(graph.values.size());
  for (std::size_t i = 0; i < constants_.size(); ++i) values[at(graph.constants[i].value)] = constants_[i];
  if (slice.from != kNoValue) values[at(slice.from)] = start;
  for (std::size_t i = 0; i < slice.nodes.size(); ++i) {
    const std::int32_t index = slice.nodes[i];
    const Node& node = graph.nodes[at(index)];
    const std::int64_t dimension = slice.from == graph.input ? -1 : image_dimension(node);
    if (dimension >= 0) {
      values[at(node.results[0].values[0])] = dimension == 0 ? start.size(0) : image_[at(dimension - 1)];
    } else {
      calls_[at(index)]->run(values);
    }
    for (const ValueId gone : slice.done[i]) values[at(gone)] = {};
  }
  std::vector<at::Tensor> result;
  for (const ValueId value : slice.to) {
    if (!values[at(value)].isTensor())
      throw Error(ErrorKind::data,
                  fmt::format("{}: '{}' is no tensor", source_, printable(graph.values[at(value)].name)));
    result.push_back(values[at(value)].toTensor());
  }
  return result;
}

void Program::require_float64() const {
  for (const at::Tensor& constant : constants_) {
    if (constant.scalar_type() == at::kHalf || constant.scalar_type() == at::kBFloat16)
      throw Error(ErrorKind::config, fmt::format("{}: has weights in {}: there is no float64 copy of such a network",
                                                 source_, c10::toString(constant.scalar_type())));
  }
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (calls_[i]) static_cast<void>(Call(graph_->nodes[i], true, device_, calls_[i]->where()));
  }
}

std::unique_ptr<Program> Program::in_float64() const {
  require_float64();
  std::unique_ptr<Program> copy(new Program());
  copy->source_ = source_;
  copy->image_ = image_;
  copy->device_ = device_;
  copy->graph_ = graph_;
  copy->effects_ = effects_;
  for (const at::Tensor& constant : constants_)
    copy->constants_.push_back(constant.scalar_type() == at::kFloat ? constant.to(at::kDouble) : constant);
  std::vector<std::int32_t> bound;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (calls_[i]) bound.push_back(static_cast<std::int32_t>(i));
  }
  copy->bind(bound, true);
  return copy;
}

}  // namespace nearfar::exported
