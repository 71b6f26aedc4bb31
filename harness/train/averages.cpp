#include "train/averages.h"

#include <ATen/ops/_foreach_lerp.h>
#include <c10/core/GradMode.h>

namespace nearfar {

WeightAverage::WeightAverage(std::vector<NamedTensor> parameters, double decay) : decay_(decay) {
  for (const NamedTensor& named : parameters) {
    weights_.push_back(named.tensor.detach());
    values_.push_back(named.tensor.detach().clone());
    averages_.push_back({named.name, values_.back(), named.parameter});
  }
}

void WeightAverage::restart() {
  const c10::AutoGradMode none(false);
  for (std::size_t i = 0; i < values_.size(); ++i) values_[i].copy_(weights_[i]);
}

void WeightAverage::update() {
  const c10::AutoGradMode none(false);
  at::_foreach_lerp_(values_, weights_, 1 - decay_);
}

}  // namespace nearfar
