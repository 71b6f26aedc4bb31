#pragma once
/// What odin and iodin share: the gradient that shows where an image is least certain, and the softmax of the changed
/// image.
#include "input_step.h"

#include <nearfar/params.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros_like.h>

#include <cstdint>

namespace nearfar::common {

constexpr Param kOdinParams[] = {{"temperature", 1000.0, 1e-3, 1e6, "softmax temperature T"},
                                 {"noise", 0.0014, 0.0, 1.0, "size of the step in the images"},
                                 {"batch", 200, 1, 1000000, "images that the reference takes the mean loss of"}};
constexpr char kOdinObservedParams[] = "temperature,noise,batch";
constexpr char kOdinSweep[] = "temperature=1,10,100,1000;noise=0.0014,0.0028";

class Odin {
 public:
  explicit Odin(const Params& params)
      : temperature_(params.number("temperature")),
        noise_(params.number("noise")),
        batch_(static_cast<double>(params.integer("batch"))) {}

  /// Of the mean cross entropy of z / T and the predicted class by the images: [B,channels,height,width]. The mean is
  /// over `batch` images however many are here, in the reference's order of operations: it decides where float32 gives
  /// 0, whose sign is +1.
  at::Tensor gradient(NetworkBatch& batch) const {
    const at::Tensor& logits = batch.logits();
    const at::Tensor at_class = at::zeros_like(logits).scatter_(1, logits.argmax(1, true), -1 / batch_);
    const at::Tensor probabilities = logits.div(temperature_).log_softmax(1).exp_();
    return batch.logit_gradient(at_class.sub_(probabilities.mul_(-1 / batch_)).div_(temperature_));
  }

  /// -max softmax(z / T) of the images after a step of `noise` against `direction`: [B,1].
  at::Tensor score(NetworkBatch& batch, const at::Tensor& direction) const {
    const at::Tensor scaled = batch.forward(batch.images().sub(direction, noise_)).logits.div(temperature_);
    return scaled.sub(scaled.amax(1, true)).exp_().sum(1, true).reciprocal_().neg_();
  }

 private:
  double temperature_, noise_, batch_;
};

}  // namespace nearfar::common
