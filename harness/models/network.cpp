#include "models/network.h"

#include "base/error.h"
#include "models/mismatch.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <map>

namespace nearfar {

std::int64_t Network::output_dim() const { return has_classifier() ? spec().classes : spec().embedding_dim; }

HeadWeights Network::head() {
  NEARFAR_ASSERT(has_head_weights());
  HeadWeights head;
  for (const NamedTensor& named : named_tensors()) {
    if (named.name == "head.weight") head.weight = named.tensor.detach().clone();
    if (named.name == "head.bias") head.bias = named.tensor.detach().clone();
  }
  NEARFAR_ASSERT(head.weight.defined() && head.bias.defined());
  return head;
}

namespace {

void require_fit(const std::string& architecture, const std::vector<NamedTensor>& expected,
                 const std::vector<NamedTensor>& given, const std::string& source) {
  const Mismatch mismatch = compare_tensors(expected, given);
  if (mismatch.count() > 0) {
    throw Error(ErrorKind::data, fmt::format("{}: does not fit a {}: {}", source, architecture, mismatch.text()));
  }
}

}  // namespace

void check_tensors(const NetworkSpec& spec, const std::vector<NamedTensor>& tensors, const std::string& source) {
  require_fit(spec.architecture, make_shape_network(spec)->named_tensors(), tensors, source);
}

void load_tensors(Network& network, const std::vector<NamedTensor>& tensors, const std::string& source) {
  const std::vector<NamedTensor> own = network.named_tensors();
  require_fit(network.spec().architecture, own, tensors, source);
  std::map<std::string_view, at::Tensor> given;
  for (const NamedTensor& named : tensors) given[named.name] = named.tensor;
  const c10::AutoGradMode no_gradients(false);
  for (const NamedTensor& named : own) named.tensor.copy_(given.at(named.name));
}

std::unique_ptr<Network> Network::in_float64() {
  std::unique_ptr<Network> copy = make_empty_network(spec(), device());
  const std::vector<NamedTensor> from = named_tensors(), to = copy->named_tensors();
  NEARFAR_ASSERT(from.size() == to.size());
  const c10::AutoGradMode no_gradients(false);
  for (std::size_t i = 0; i < to.size(); ++i) {
    NEARFAR_ASSERT(from[i].name == to[i].name);
    at::Tensor tensor = to[i].tensor;
    const at::Tensor value = from[i].tensor.detach();
    tensor.set_requires_grad(false);
    tensor.set_data(at::isFloatingType(value.scalar_type()) ? value.to(at::kDouble) : value.clone());
  }
  copy->train(false);
  return copy;
}

EvalScope::EvalScope(Network& network)
    : network_(network), was_training_(network.is_training()), had_gradients_(c10::GradMode::is_enabled()) {
  network_.train(false);
  c10::GradMode::set_enabled(false);
}

EvalScope::~EvalScope() {
  network_.train(was_training_);
  c10::GradMode::set_enabled(had_gradients_);
}

}  // namespace nearfar
