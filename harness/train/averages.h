#pragma once
/// A moving average of weights, which is what is evaluated where a recipe asks for one (Polyak and Juditsky 1992).
#include "models/named_tensor.h"

#include <vector>

namespace nearfar {

/// Starts at the weights' values; after every step: average = decay * average + (1 - decay) * weight. Not thread-safe.
/// Holds references to the parameters; nothing waits for the device, and update() may be captured as a graph.
class WeightAverage {
 public:
  WeightAverage(std::vector<NamedTensor> parameters, double decay);
  void update();
  void restart();  ///< as at the start: the weights' values as they are now
  /// By reference, under the parameters' names.
  const std::vector<NamedTensor>& tensors() const { return averages_; }

 private:
  std::vector<at::Tensor> weights_, values_;
  std::vector<NamedTensor> averages_;
  double decay_;
};

}  // namespace nearfar
