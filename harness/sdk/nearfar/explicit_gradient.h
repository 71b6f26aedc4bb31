#pragma once
/// A loss that works out its own derivatives, in place of autograd: for a backward pass that is cheaper or more exact
/// than the operators' own. The host makes loss and derivatives one node of the graph. The same in the exact and the
/// stable tier.
///
///   class Mine final : public nearfar::ExplicitGradientLoss {
///     nearfar::LossAndGradients evaluate(const nearfar::LossInput& input) override;
///   };
#include <nearfar/host_operator.h>
#include <nearfar/loss.h>

#include <vector>

namespace nearfar {

struct LossAndGradients {
  at::Tensor loss;                          ///< [] floating
  at::Tensor output;                        ///< d loss / d LossInput::output, of its shape and dtype
  at::Tensor features = {};                 ///< of LossInput::features; undefined = zero. Likewise below
  at::Tensor aux_output = {};               ///< of LossInput::aux_output
  at::Tensor aux_features = {};             ///< of LossInput::aux_features
  std::vector<at::Tensor> parameters = {};  ///< of state()'s parameters, in their order; empty = none has one
};

/// `loss` as a function of `inputs` whose derivatives are `gradients`: what flows back through it is the gradient times
/// what comes from above. Second derivatives are refused.
inline at::Tensor with_gradients(const at::Tensor& loss, const std::vector<at::Tensor>& inputs,
                                 const std::vector<at::Tensor>& gradients) {
  static const HostOperator<const at::Tensor&,
#ifdef NEARFAR_STABLE
                            const std::vector<at::Tensor>&, const std::vector<at::Tensor>&>
#else
                            at::TensorList, at::TensorList>
#endif
      operation("nearfar::with_gradients");
  return operation(loss, inputs, gradients);
}

class NEARFAR_EXPORT ExplicitGradientLoss : public Loss {
 public:
  /// Called with autograd off. The loss and its derivatives at the input.
  virtual LossAndGradients evaluate(const LossInput& input) = 0;

  at::Tensor forward(const LossInput& input) final {
    const LossAndGradients made = evaluate(detached(input));
    std::vector<at::Tensor> inputs, gradients;
    const auto add = [&](const at::Tensor& at, const at::Tensor& gradient) {
      if (!gradient.defined()) return;
      inputs.push_back(at);
      gradients.push_back(gradient);
    };
    add(input.output, made.output);
    add(input.features, made.features);
    add(input.aux_output, made.aux_output);
    add(input.aux_features, made.aux_features);
    std::size_t next = 0;
    if (!made.parameters.empty()) {
      for (const LossTensor& one : state()) {
        if (one.parameter && next < made.parameters.size()) add(one.tensor, made.parameters[next++]);
      }
    }
    return with_gradients(made.loss, inputs, gradients);
  }

 private:
  /// What evaluate() does with these is no part of the graph.
  static LossInput detached(const LossInput& input) {
    LossInput without = input;
    for (at::Tensor LossInput::*const part :
         {&LossInput::output, &LossInput::features, &LossInput::aux_output, &LossInput::aux_features}) {
      if ((input.*part).defined()) without.*part = (input.*part).detach();
    }
    return without;
  }
};

}  // namespace nearfar
