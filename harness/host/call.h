#pragma once
/// The one place where plugin code is called: creation, the guard that names plugin and call in every failure, and the
/// check of what comes back.
#include "device/out_of_memory.h"
#include "host/plugin.h"

#include <nearfar/plugin.h>

#include <ATen/core/grad_mode.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearfar {

/// Called inside a catch block: throws the exception in flight as an Error whose message begins with `plugin` and
/// `call`. A nearfar::Error keeps its kind (internal becomes plugin); everything else (c10::Error without its
/// backtrace, std::exception, others) becomes Error(plugin), some of them DeviceOutOfMemory or HostOutOfMemory.
[[noreturn]] void rethrow_plugin_error(std::string_view plugin, std::string_view call);

/// Runs `body` under the guard: guard(plugin.label(), "score", [&] { … }).
template <std::invocable Body>
auto guard(std::string_view plugin, std::string_view call, Body&& body) -> std::invoke_result_t<Body> {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    rethrow_plugin_error(plugin, call);
  }
}

/// Gradients off while it lives; the earlier state comes back. The mode of a model (train, eval) is its owner's affair.
class NoGradScope {
 public:
  NoGradScope() = default;
  NoGradScope(const NoGradScope&) = delete;
  NoGradScope& operator=(const NoGradScope&) = delete;

 private:
  at::NoGradGuard no_grad_;
};

/// Does a postprocessor with these needs look inside the network?
inline bool observes(Needs needs) { return (needs & (kMapStatistics | kInputGradients)) != 0; }

/// Number of rows: of the first defined of features, normalized, logits. Error(data) where the defined tensors disagree
/// or none is defined.
std::int64_t rows(const FeatureBatch& batch);

/// Owns a postprocessor; destroyed by its plugin. score() may be called from several threads once fit() has returned.
class PostprocessorHandle {
 public:
  /// `params` are validated here. Error(config) for a bad parameter, Error(plugin) if the plugin is a loss or its
  /// constructor throws.
  PostprocessorHandle(const LoadedPlugin& plugin, const ParamMap& params, std::string_view where);

  /// Under NoGradScope. Error(data) if something that the plugin needs is undefined.
  void fit(const FitContext& context);
  /// [N] float32 or float64, contiguous, where the batch is, under NoGradScope. Error(data) if something needed is
  /// undefined; Error(plugin) for anything but that shape and type, where the batch was changed in place, and for a
  /// value that is not finite, as
  /// require_finite() says; a device's values are not looked at, since that would wait for them.
  at::Tensor score(const FeatureBatch& batch) const;
  /// Error(plugin) naming the first row of scores on the host that is not finite.
  void require_finite(const at::Tensor& scores) const;

  /// [B,K] float32 contiguous, undefined gradients, under NoGradScope: observe() or, with `fitted`, observe_fitted().
  /// Error(plugin) for another shape or type.
  at::Tensor observe(NetworkBatch& batch, bool fitted) const;

  const std::string& label() const { return label_; }
  Needs needs() const { return needs_; }
  bool observes_fitted() const { return observes_fitted_; }
  const Params& params() const { return params_; }  ///< complete: defaults filled in

 private:
  std::string label_;
  Needs needs_;
  bool observes_fitted_;
  Params params_;
  std::unique_ptr<Postprocessor, void (*)(Postprocessor*) noexcept> made_;
};

/// What a loss with these values wants; no object is made. Error(plugin) where the plugin is no loss, its function
/// throws or the traits make no sense.
LossTraits loss_traits(const LoadedPlugin& plugin, const Params& params);

/// Owns a loss; destroyed by its plugin. For one thread at a time. A loss itself, the guarded one.
class LossHandle final : public Loss {
 public:
  LossHandle(const LoadedPlugin& plugin, const ParamMap& params, std::string_view where);

  const LossTraits& traits() const { return traits_; }  ///< loss_traits() of its parameters
  void prepare(const LossSetup& setup) override;
  void start(const at::Tensor& class_means) override;
  /// The differentiable scalar (0-dimensional, floating). Error(plugin) for another shape or type, or where the input
  /// has a gradient and the result does not. Whether the value is finite is the trainer's to see: it has it on the host
  /// anyway.
  at::Tensor forward(const LossInput& input) override;
  std::vector<LossTensor> state() override;

  const std::string& label() const { return label_; }
  const Params& params() const { return params_; }

 private:
  std::string label_;
  Params params_;
  LossTraits traits_;
  std::unique_ptr<Loss, void (*)(Loss*) noexcept> made_;
};

}  // namespace nearfar
