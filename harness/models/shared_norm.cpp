#include "models/shared_norm.h"

#include "base/error.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace nearfar {
namespace {

SumOverRanks& installed() {
  static SumOverRanks sum;
  return sum;
}

/// [C] as what broadcasts over [N,C,...].
at::Tensor by_channel(const at::Tensor& values, const at::Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[1] = values.size(0);
  return values.view(shape);
}

at::Tensor sum_by_channel(const at::Tensor& values) {
  std::vector<std::int64_t> others{0};
  for (std::int64_t i = 2; i < values.dim(); ++i) others.push_back(i);
  return values.sum(others, false, at::kDouble);
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct SharedNorm : torch::autograd::Function<SharedNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& in, const at::Tensor& weight,
                            const at::Tensor& bias, const at::Tensor& running_mean, const at::Tensor& running_variance,
                            double momentum, double epsilon) {
    const SumOverRanks& sum = installed();
    const at::Tensor x = in.to(at::kFloat);
    const double own = static_cast<double>(in.numel()) / static_cast<double>(in.size(1));
    const at::Tensor sums = at::cat({sum_by_channel(x), at::full({1}, own, x.options().dtype(at::kDouble))});
    sum(sums);
    const at::Tensor count = sums.narrow(0, in.size(1), 1);
    const at::Tensor mean = sums.narrow(0, 0, in.size(1)).div(count);
    const at::Tensor centred = x.sub(by_channel(mean.to(at::kFloat), x));
    const at::Tensor squares = sum_by_channel(centred.square());
    sum(squares);
    running_mean.lerp_(mean.to(running_mean.scalar_type()), momentum);
    running_variance.lerp_(squares.div(count.sub(1).clamp_min(1)).to(running_variance.scalar_type()), momentum);
    const at::Tensor scale = squares.div(count).add(epsilon).rsqrt().to(at::kFloat);
    const at::Tensor normal = centred.mul(by_channel(scale, x));
    context->save_for_backward({normal, weight, scale, count});
    context->saved_data["type"] = in.scalar_type();
    return normal.mul(by_channel(weight, x)).add(by_channel(bias, x)).to(in.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &normal = saved[0], &weight = saved[1], &scale = saved[2], &count = saved[3];
    const at::Tensor out = gradients[0].to(at::kFloat);
    const at::Tensor of_bias = sum_by_channel(out), of_weight = sum_by_channel(out.mul(normal));
    const at::Tensor sums = at::cat({of_bias, of_weight});
    installed()(sums);
    const at::Tensor means = sums.div(count).to(at::kFloat);
    const std::int64_t width = weight.size(0);
    const at::Tensor flow = out.sub(by_channel(means.narrow(0, 0, width), out))
                                .sub(normal.mul(by_channel(means.narrow(0, width, width), out)));
    return {flow.mul(by_channel(scale.mul(weight), out)).to(context->saved_data["type"].toScalarType()),
            of_weight.to(weight.scalar_type()),
            of_bias.to(weight.scalar_type()),
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

SharedBatchNorm::SharedBatchNorm(SumOverRanks sum) {
  NEARFAR_ASSERT(!installed());
  installed() = std::move(sum);
}

SharedBatchNorm::~SharedBatchNorm() { installed() = nullptr; }

bool SharedBatchNorm::is_on() { return static_cast<bool>(installed()); }

at::Tensor shared_batch_norm(const at::Tensor& in, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& running_mean, const at::Tensor& running_variance, double momentum,
                             double epsilon) {
  NEARFAR_ASSERT(installed());
  return SharedNorm::apply(in, weight, bias, running_mean, running_variance, momentum, epsilon);
}

}  // namespace nearfar
