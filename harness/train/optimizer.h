#pragma once
/// SGD (momentum, Nesterov's form) and AdamW, with state that can be saved and restored: torch.optim's arithmetic in
/// one fused operator each (aten::_fused_sgd_, aten::_fused_adamw_), the same on every device.
#include "config/recipe.h"
#include "models/named_tensor.h"

#include <vector>

namespace nearfar {

enum class UpdateRule { sgd, adamw };

struct OptimizerOptions {
  UpdateRule rule = UpdateRule::sgd;
  double weight_decay = 0;  ///< SGD: times the parameter, added to its gradient; AdamW: taken from it by itself
  /// Of every parameter, as OpenOOD; false: not of those with one dimension (biases, scales and shifts of norms).
  bool decay_all = true;
  double momentum = 0.9;  ///< SGD's
  bool nesterov = true;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  ///< AdamW's
};

OptimizerOptions optimizer_options(const TrainRecipe& recipe);

/// Not thread-safe. Holds references to the parameters it is given, which lie on one device. A parameter without a
/// gradient stays as it is. Nothing here waits for the device, and a step may be captured as a graph (from zero_grad()
/// on: the graph owns the gradients then).
class Optimizer {
 public:
  Optimizer(std::vector<NamedTensor> parameters, const OptimizerOptions& options);
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Takes the gradients away: the next backward pass hands its own over, which spares zeros and a sum.
  void zero_grad();
  /// The 2-norm of all gradients as one vector: [] float64 on the device.
  at::Tensor gradient_norm() const;
  /// Gradients are multiplied by max_norm / (norm + 1e-6) where that is below 1, as torch.nn.utils.clip_grad_norm_
  /// does.
  void clip(const at::Tensor& norm, double max_norm);
  /// Of the steps from now on; outside a graph.
  void set_rate(double learning_rate);
  void step();

  /// None before the first step. By reference: slot "momentum" of each parameter (where there is momentum), or
  /// "exp_avg" and "exp_avg_sq" of each and "step" of "all".
  std::vector<OptimizerTensor> state() const;
  /// The same also before the first step, when all are zero.
  std::vector<OptimizerTensor> tensors() const;
  /// Copies saved state back. Error(data), with nothing changed, for a slot or a name that is unknown or another shape.
  void restore(const std::vector<OptimizerTensor>& state);

 private:
  /// Parameters of one dtype and decay: the operators want them so.
  struct Group {
    bool decayed;
    std::vector<std::size_t> members;  ///< of parameters_
    at::Tensor rate;                   ///< [] of that dtype, on the device
  };
  struct Slot {
    const char* name;
    std::vector<at::Tensor> tensors;  ///< by parameter
  };

  void update(const Group& group);
  std::vector<at::Tensor> gradients() const;
  at::Tensor* find(const OptimizerTensor& saved);

  std::vector<NamedTensor> parameters_;
  OptimizerOptions options_;
  std::vector<Slot> slots_;
  at::Tensor steps_;  ///< [] float32, on the device: AdamW's
  std::vector<Group> groups_;
  bool stepped_ = false;
};

}  // namespace nearfar
