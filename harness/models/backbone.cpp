#include "models/backbone.h"

#include "base/error.h"

#include <ATen/core/Tensor.h>

namespace nearfar {

at::Tensor Backbone::run_stages(const at::Tensor&, std::int64_t, std::int64_t, Activations*) const {
  throw Error(ErrorKind::internal, "a backbone without stages is asked for one");
}

at::Tensor Backbone::pool(const at::Tensor&) const {
  throw Error(ErrorKind::internal, "a backbone without stages is asked to pool one");
}

at::Tensor StagedBackbone::forward(const at::Tensor& images, bool training) const {
  at::Tensor x = images;
  for (std::int64_t stage = 0; stage < stages(); ++stage) x = run_stage(x, stage, training, nullptr);
  return pool(x);
}

at::Tensor StagedBackbone::run_stages(const at::Tensor& in, std::int64_t first, std::int64_t last,
                                      Activations* seen) const {
  at::Tensor x = in;
  for (std::int64_t stage = first; stage < last; ++stage) {
    x = run_stage(x, stage, false, seen == nullptr ? nullptr : &seen->layers);
    if (seen != nullptr) seen->stages.push_back(x);
  }
  return x;
}

}  // namespace nearfar
