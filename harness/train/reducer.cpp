#include "train/reducer.h"

#include <ATen/ops/cat.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>

namespace nearfar {
namespace {

struct Bucket {
  std::vector<std::size_t> members;  ///< of the parameters
  std::size_t missing = 0;           ///< gradients that have not come yet
  at::Tensor flat;                   ///< what travels, once it is sent
};

}  // namespace

struct GradientReducer::State {
  RankGroup& group;
  std::vector<NamedTensor> parameters;
  std::vector<Bucket> buckets = {};
  std::vector<std::size_t> bucket_of = {};
  std::size_t sent = 0;  ///< buckets, in their order: the same on every rank
  bool open = false;

  void came(std::size_t parameter) {
    if (!open) return;
    --buckets[bucket_of[parameter]].missing;
    while (sent < buckets.size() && buckets[sent].missing == 0) send(buckets[sent++]);
  }

  void send(Bucket& bucket) {
    const c10::AutoGradMode none(false);
    std::vector<at::Tensor> parts;
    for (const std::size_t member : bucket.members) {
      const at::Tensor& gradient = parameters[member].tensor.grad();
      if (gradient.defined()) parts.push_back(gradient.reshape({-1}).to(at::kFloat));
    }
    if (parts.empty()) return;
    bucket.flat = at::cat(parts);
    if (!group.carries(bucket.flat.device())) bucket.flat = bucket.flat.cpu();
    group.begin_sum(bucket.flat);
  }

  void take(Bucket& bucket) {
    const c10::AutoGradMode none(false);
    std::int64_t at = 0;
    for (const std::size_t member : bucket.members) {
      const at::Tensor& gradient = parameters[member].tensor.grad();
      if (!gradient.defined()) continue;
      gradient.copy_(bucket.flat.narrow(0, at, gradient.numel()).view(gradient.sizes()));
      at += gradient.numel();
    }
    bucket.flat.reset();
  }
};

namespace {

struct Arrived final : torch::autograd::PostAccumulateGradHook {
  explicit Arrived(std::function<void()> then) : call(std::move(then)) {}
  void operator()(const torch::autograd::Variable&) override { call(); }
  std::function<void()> call;
};

}  // namespace

GradientReducer::GradientReducer(RankGroup& group, std::vector<NamedTensor> parameters, std::int64_t bucket_bytes)
    : state_(new State{group, std::move(parameters)}) {
  State& state = *state_;
  state.bucket_of.resize(state.parameters.size());
  std::int64_t bytes = bucket_bytes;
  for (std::size_t i = state.parameters.size(); i-- > 0;) {
    if (bytes >= bucket_bytes) {
      state.buckets.emplace_back();
      bytes = 0;
    }
    state.buckets.back().members.push_back(i);
    state.bucket_of[i] = state.buckets.size() - 1;
    bytes += static_cast<std::int64_t>(state.parameters[i].tensor.nbytes());
    torch::autograd::impl::set_post_acc_grad_hooks(state.parameters[i].tensor,
                                                   std::make_unique<Arrived>([this, i] { state_->came(i); }));
  }
}

GradientReducer::~GradientReducer() {
  for (const NamedTensor& named : state_->parameters)
    torch::autograd::impl::set_post_acc_grad_hooks(named.tensor, nullptr);
}

void GradientReducer::begin() {
  for (Bucket& bucket : state_->buckets) bucket.missing = bucket.members.size();
  state_->sent = 0;
  state_->open = true;
}

void GradientReducer::finish() {
  State& state = *state_;
  state.open = false;
  while (state.sent < state.buckets.size()) state.send(state.buckets[state.sent++]);
  state.group.finish_sums();
  for (Bucket& bucket : state.buckets) {
    if (bucket.flat.defined()) state.take(bucket);
  }
}

}  // namespace nearfar
