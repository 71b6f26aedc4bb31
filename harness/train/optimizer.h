#pragma once
/// SGD with momentum, Nesterov's form and weight decay, whose state can be saved and restored. torch.optim.SGD's
/// arithmetic in one fused operator (aten::_fused_sgd_), the same on every device.
#include "models/named_tensor.h"

#include <vector>

namespace nearfar {

struct SgdOptions {
  double momentum = 0.9;
  double weight_decay = 0;  ///< added to the gradient of every parameter
  bool nesterov = true;
};

/// Not thread-safe. Holds references to the parameters it is given, which lie on one device. A parameter without a
/// gradient stays as it is. Nothing here waits for the device, and a step may be captured as a graph (from zero_grad()
/// on: the graph owns the gradients then).
class Sgd {
 public:
  Sgd(std::vector<NamedTensor> parameters, const SgdOptions& options);
  Sgd(const Sgd&) = delete;
  Sgd& operator=(const Sgd&) = delete;

  /// Takes the gradients away: the next backward pass hands its own over, which spares zeros and a sum.
  void zero_grad();
  /// Of the steps from now on; outside a graph.
  void set_rate(double learning_rate);
  void step();

  /// Slot "momentum" of each parameter (none before the first step, or without momentum); by reference.
  std::vector<OptimizerTensor> state() const;
  /// Copies saved state back. Error(data), with nothing changed, for a slot or a name that is unknown or another shape.
  void restore(const std::vector<OptimizerTensor>& state);

 private:
  /// Parameters of one dtype: the operator wants them so.
  struct Group {
    std::vector<std::size_t> members;  ///< of parameters_
    at::Tensor rate;                   ///< [] of that dtype, on the device
  };

  std::vector<NamedTensor> parameters_;
  std::vector<at::Tensor> momentum_;  ///< by parameter; undefined without momentum
  SgdOptions options_;
  std::vector<Group> groups_;
  bool stepped_ = false;
};

}  // namespace nearfar
