/// torch::optim::SGD behind our header.
#include "train/optimizer.h"

#include "base/error.h"

#include <fmt/format.h>
#include <torch/optim/sgd.h>

#include <algorithm>

namespace nearfar {

struct Sgd::Impl {
  std::vector<NamedTensor> parameters;
  torch::optim::SGD optimizer;
};

namespace {

constexpr const char* kMomentum = "momentum";

std::vector<at::Tensor> tensors_of(const std::vector<NamedTensor>& parameters) {
  std::vector<at::Tensor> tensors;
  for (const NamedTensor& named : parameters) tensors.push_back(named.tensor);
  return tensors;
}

}  // namespace

Sgd::Sgd(std::vector<NamedTensor> parameters, const SgdOptions& options) {
  NEARFAR_ASSERT(!options.nesterov || options.momentum > 0);
  const std::vector<at::Tensor> tensors = tensors_of(parameters);
  // The rate is set before each step; the constructor wants one.
  torch::optim::SGDOptions torch_options(0.0);
  torch_options.momentum(options.momentum).weight_decay(options.weight_decay).nesterov(options.nesterov);
  impl_ = std::make_unique<Impl>(Impl{std::move(parameters), torch::optim::SGD(tensors, torch_options)});
}

Sgd::~Sgd() = default;

void Sgd::zero_grad() { impl_->optimizer.zero_grad(); }

void Sgd::step(double learning_rate) {
  for (auto& group : impl_->optimizer.param_groups()) group.options().set_lr(learning_rate);
  impl_->optimizer.step();
}

std::vector<OptimizerTensor> Sgd::state() const {
  std::vector<OptimizerTensor> result;
  for (const NamedTensor& named : impl_->parameters) {
    const auto& states = impl_->optimizer.state();
    const auto found = states.find(named.tensor.unsafeGetTensorImpl());
    if (found == states.end()) continue;
    const auto& state = static_cast<const torch::optim::SGDParamState&>(*found->second);
    if (state.momentum_buffer().defined()) result.push_back({kMomentum, named.name, state.momentum_buffer()});
  }
  return result;
}

void Sgd::restore(const std::vector<OptimizerTensor>& state) {
  std::vector<c10::TensorImpl*> owners;
  for (const OptimizerTensor& saved : state) {
    const auto found = std::find_if(impl_->parameters.begin(), impl_->parameters.end(),
                                    [&](const NamedTensor& named) { return named.name == saved.parameter; });
    if (saved.slot != kMomentum || found == impl_->parameters.end() || found->tensor.sizes() != saved.tensor.sizes()) {
      throw Error(ErrorKind::data,
                  fmt::format("'optimizer.{}.{}' of the checkpoint fits no parameter", saved.slot, saved.parameter));
    }
    owners.push_back(found->tensor.unsafeGetTensorImpl());
  }
  for (std::size_t i = 0; i < state.size(); ++i) {
    auto kept = std::make_unique<torch::optim::SGDParamState>();
    kept->momentum_buffer(state[i].tensor.clone());
    impl_->optimizer.state()[owners[i]] = std::move(kept);
  }
}

}  // namespace nearfar
