#pragma once
/// SGD with momentum, Nesterov's form and weight decay (torch::optim::SGD), whose momentum can be saved and restored.
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

  /// Momentum of each parameter that has one (none before the first step), named as the parameter; by reference.
  std::vector<NamedTensor> momentum() const;
  /// Clones saved momentum back. Error(data) for a name that is no parameter or another shape.
  void restore(const std::vector<NamedTensor>& momentum);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nearfar
