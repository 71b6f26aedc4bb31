#include "train/optimizer.h"

#include "base/error.h"

#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

constexpr const char* kStep = "step";  // a slot of one tensor, "optimizer.step.all"
constexpr const char* kAll = "all";

std::vector<const char*> slot_names(const OptimizerOptions& options) {
  if (options.rule == UpdateRule::adamw) return {"exp_avg", "exp_avg_sq"};
  if (options.momentum > 0) return {"momentum"};
  return {};
}

}  // namespace

OptimizerOptions optimizer_options(const TrainRecipe& recipe) {
  return {.rule = recipe.optimizer == "adamw" ? UpdateRule::adamw : UpdateRule::sgd,
          .weight_decay = recipe.weight_decay,
          .decay_all = recipe.decay == "all",
          .momentum = recipe.momentum,
          .nesterov = recipe.nesterov,
          .beta1 = recipe.beta1,
          .beta2 = recipe.beta2,
          .epsilon = recipe.epsilon};
}

Optimizer::Optimizer(std::vector<NamedTensor> parameters, const OptimizerOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  NEARFAR_ASSERT(!parameters_.empty());
  NEARFAR_ASSERT(options.rule != UpdateRule::sgd || !options.nesterov || options.momentum > 0);
  for (const char* name : slot_names(options)) {
    slots_.push_back({name, {}});
    for (const NamedTensor& named : parameters_) slots_.back().tensors.push_back(at::zeros_like(named.tensor.detach()));
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor parameter = parameters_[i].tensor.detach();
    const bool decayed = options.decay_all || parameter.dim() > 1;
    auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& one) {
      return one.decayed == decayed && one.rate.scalar_type() == parameter.scalar_type();
    });
    if (group == groups_.end()) {
      groups_.push_back({decayed, {}, at::zeros({}, parameter.options())});
      group = groups_.end() - 1;
    }
    group->members.push_back(i);
  }
  if (options.rule == UpdateRule::adamw)
    steps_ = at::zeros({}, parameters_[0].tensor.detach().options().dtype(at::kFloat));
}

void Optimizer::zero_grad() {
  for (NamedTensor& named : parameters_) named.tensor.mutable_grad().reset();
}

std::vector<at::Tensor> Optimizer::gradients() const {
  std::vector<at::Tensor> all;
  for (const NamedTensor& named : parameters_) {
    if (named.tensor.grad().defined()) all.push_back(named.tensor.grad());
  }
  return all;
}

at::Tensor Optimizer::gradient_norm() const {
  const c10::AutoGradMode none(false);
  const std::vector<at::Tensor> all = gradients();
  if (all.empty()) return at::zeros({}, parameters_[0].tensor.detach().options().dtype(at::kDouble));
  std::vector<at::Tensor> norms = at::_foreach_norm(all, 2);
  for (at::Tensor& norm : norms) norm = norm.to(at::kDouble);
  return at::linalg_vector_norm(at::stack(norms));
}

void Optimizer::clip(const at::Tensor& norm, double max_norm) {
  const c10::AutoGradMode none(false);
  const at::Tensor factor = norm.add(1e-6).reciprocal().mul(max_norm).clamp_max(1);
  for (const at::Tensor& gradient : gradients()) at::Tensor(gradient).mul_(factor);
}

void Optimizer::set_rate(double learning_rate) {
  for (Group& group : groups_) group.rate.fill_(learning_rate);
}

void Optimizer::step() {
  const c10::AutoGradMode none(false);
  if (steps_.defined()) steps_.add_(1);
  for (const Group& group : groups_) update(group);
  stepped_ = true;
}

void Optimizer::update(const Group& group) {
  std::vector<at::Tensor> parameters, gradients, first, second;
  for (const std::size_t i : group.members) {
    const at::Tensor& gradient = parameters_[i].tensor.grad();
    if (!gradient.defined()) continue;
    parameters.push_back(parameters_[i].tensor);
    gradients.push_back(gradient);
    if (!slots_.empty()) first.push_back(slots_[0].tensors[i]);
    if (slots_.size() > 1) second.push_back(slots_[1].tensors[i]);
  }
  if (parameters.empty()) return;
  const double decay = group.decayed ? options_.weight_decay : 0;
  if (options_.rule == UpdateRule::sgd) {
    // A momentum of zeros is what the first step starts from: momentum * 0 + gradient.
    at::_fused_sgd_(parameters, gradients, first, decay, options_.momentum, group.rate, /*dampening=*/0,
                    options_.nesterov, /*maximize=*/false, /*is_first_step=*/false);
  } else {
    const std::vector<at::Tensor> steps(parameters.size(), steps_);
    at::_fused_adamw_(parameters, gradients, first, second, {}, steps, group.rate, options_.beta1, options_.beta2,
                      decay, options_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
  }
}

std::vector<OptimizerTensor> Optimizer::state() const { return stepped_ ? tensors() : std::vector<OptimizerTensor>{}; }

std::vector<OptimizerTensor> Optimizer::tensors() const {
  std::vector<OptimizerTensor> result;
  for (const Slot& slot : slots_) {
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      result.push_back({slot.name, parameters_[i].name, slot.tensors[i]});
  }
  if (steps_.defined()) result.push_back({kStep, kAll, steps_});
  return result;
}

at::Tensor* Optimizer::find(const OptimizerTensor& saved) {
  if (saved.slot == kStep && saved.parameter == kAll && steps_.defined()) return &steps_;
  for (Slot& slot : slots_) {
    for (std::size_t i = 0; i < parameters_.size() && saved.slot == slot.name; ++i) {
      if (parameters_[i].name == saved.parameter) return &slot.tensors[i];
    }
  }
  return nullptr;
}

void Optimizer::restore(const std::vector<OptimizerTensor>& state) {
  std::vector<at::Tensor> owners;
  for (const OptimizerTensor& saved : state) {
    const at::Tensor* owner = find(saved);
    if (owner == nullptr || owner->sizes() != saved.tensor.sizes()) {
      throw Error(ErrorKind::data,
                  fmt::format("'optimizer.{}.{}' of the checkpoint fits no parameter", saved.slot, saved.parameter));
    }
    owners.push_back(*owner);
  }
  for (std::size_t i = 0; i < state.size(); ++i) owners[i].copy_(state[i].tensor);
  stepped_ = stepped_ || !state.empty();
}

}  // namespace nearfar
