#include "train/optimizer.h"

#include "base/error.h"

#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

constexpr const char* kMomentum = "momentum";

}  // namespace

Sgd::Sgd(std::vector<NamedTensor> parameters, const SgdOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  NEARFAR_ASSERT(!options.nesterov || options.momentum > 0);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& parameter = parameters_[i].tensor;
    momentum_.push_back(options.momentum > 0 ? at::zeros_like(parameter.detach()) : at::Tensor());
    auto group = std::find_if(groups_.begin(), groups_.end(),
                              [&](const Group& one) { return one.rate.scalar_type() == parameter.scalar_type(); });
    if (group == groups_.end()) {
      groups_.push_back({{}, at::zeros({}, parameter.detach().options())});
      group = groups_.end() - 1;
    }
    group->members.push_back(i);
  }
}

void Sgd::zero_grad() {
  for (NamedTensor& named : parameters_) named.tensor.mutable_grad().reset();
}

void Sgd::set_rate(double learning_rate) {
  for (Group& group : groups_) group.rate.fill_(learning_rate);
}

void Sgd::step() {
  const c10::AutoGradMode none(false);
  // A momentum of zeros is what the first step starts from: momentum * 0 + gradient.
  std::vector<at::Tensor> parameters, gradients, momentum;
  for (const Group& group : groups_) {
    parameters.clear(), gradients.clear(), momentum.clear();
    for (const std::size_t i : group.members) {
      const at::Tensor& gradient = parameters_[i].tensor.grad();
      if (!gradient.defined()) continue;
      parameters.push_back(parameters_[i].tensor);
      gradients.push_back(gradient);
      if (momentum_[i].defined()) momentum.push_back(momentum_[i]);
    }
    if (parameters.empty()) continue;
    at::_fused_sgd_(parameters, gradients, momentum, options_.weight_decay, options_.momentum, group.rate, /*dampening=*/0, options_.nesterov, /*maximize=*/false, /*is_first_step=*/false);
  }
  stepped_ = true;
}

std::vector<OptimizerTensor> Sgd::state() const {
  std::vector<OptimizerTensor> result;
  if (!stepped_ || options_.momentum == 0) return result;
  for (std::size_t i = 0; i < parameters_.size(); ++i) result.push_back({kMomentum, parameters_[i].name, momentum_[i]});
  return result;
}

void Sgd::restore(const std::vector<OptimizerTensor>& state) {
  std::vector<at::Tensor> owners;
  for (const OptimizerTensor& saved : state) {
    const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                    [&](const NamedTensor& named) { return named.name == saved.parameter; });
    if (saved.slot != kMomentum || found == parameters_.end() || found->tensor.sizes() != saved.tensor.sizes() ||
        options_.momentum == 0) {
      throw Error(ErrorKind::data,
                  fmt::format("'optimizer.{}.{}' of the checkpoint fits no parameter", saved.slot, saved.parameter));
    }
    owners.push_back(momentum_[static_cast<std::size_t>(found - parameters_.begin())]);
  }
  for (std::size_t i = 0; i < state.size(); ++i) owners[i].copy_(state[i].tensor);
  stepped_ = stepped_ || !state.empty();
}

}  // namespace nearfar
