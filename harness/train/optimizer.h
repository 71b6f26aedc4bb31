#pragma once
/// SGD with momentum, Nesterov's form and weight decay (torch::optim::SGD), whose state can be saved and restored.
#include "models/named_tensor.h"

#include <memory>
#include <vector>

namespace nearfar {

struct SgdOptions {
  double momentum = 0.9;
  double weight_decay = 0;  ///< added to the gradient of every parameter
  bool nesterov = true;
};

/// Not thread-safe. Holds references to the parameters it is given.
class Sgd {
 public:
  Sgd(std::vector<NamedTensor> parameters, const SgdOptions& options);
  ~Sgd();
  Sgd(const Sgd&) = delete;
  Sgd& operator=(const Sgd&) = delete;

  void zero_grad();
  void step(double learning_rate);

  /// Slot "momentum" of each parameter that has one (none before the first step); by reference.
  std::vector<OptimizerTensor> state() const;
  /// Clones saved state back. Error(data), with nothing changed, for a slot or a name that is unknown or another shape.
  void restore(const std::vector<OptimizerTensor>& state);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nearfar
