// The operators: schemas, which way a loss of pairs is computed on which device, and its gradient as part of a graph.
#include "kernels/contrastive.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <tuple>

namespace nearfar {
namespace {

using contrastive::LossAndGradient;
using Two = std::tuple<at::Tensor, at::Tensor>;

void check(const at::Tensor& z, const at::Tensor& labels) {
  TORCH_CHECK(z.dim() == 2 && (z.scalar_type() == at::kFloat || z.scalar_type() == at::kDouble),
              "the rows are not [N,E] float32 or float64, but ", z.sizes(), " ", z.scalar_type());
  TORCH_CHECK(labels.dim() == 1 && labels.size(0) == z.size(0) && labels.scalar_type() == at::kLong,
              "the labels are not [", z.size(0), "] int64, but ", labels.sizes(), " ", labels.scalar_type());
  TORCH_CHECK(labels.device() == z.device(), "rows on ", z.device(), ", labels on ", labels.device());
}

/// Is the exp of every product / temperature far from infinity and from zero? By the caller's promise: a look would
/// wait for the device.
bool is_bounded(double largest, double temperature) {
  constexpr double kMost = 40;
  return largest > 0 && largest / temperature <= kMost;
}

Two supervised_cpu(const at::Tensor& z, const at::Tensor& labels, double temperature, double base, double /*largest*/,
                   std::int64_t /*classes*/, bool with_gradient) {
  const LossAndGradient made = contrastive::supervised_on_cpu(z, labels, {temperature, base}, with_gradient);
  return {made.value, made.gradient};
}

Two supervised_cuda(const at::Tensor& given, const at::Tensor& labels, double temperature, double base, double largest,
                    std::int64_t classes, bool /*with_gradient*/) {
  const at::Tensor z = given.contiguous();
  if (z.size(0) < 2) return {z.sum().mul(0), at::zeros_like(z)};  // no pair; NaN where the row is
  const LossAndGradient made =
      classes > 0 && is_bounded(largest, temperature)
          ? contrastive::supervised_by_tiles(z, labels.contiguous(), classes, {temperature, base})
          : contrastive::supervised_by_rows(z, labels, {temperature, base});
  return {made.value.to(z.scalar_type()), made.gradient};
}

Two reweighted_cpu(const at::Tensor& z, const at::Tensor& labels, double tau, double m_b, double c_b, double m_w,
                   double c_w, double /*largest*/, bool with_gradient) {
  const LossAndGradient made = contrastive::reweighted_on_cpu(z, labels, {tau, m_b, c_b, m_w, c_w}, with_gradient);
  return {made.value, made.gradient};
}

Two reweighted_cuda(const at::Tensor& given, const at::Tensor& labels, double tau, double m_b, double c_b, double m_w,
                    double c_w, double largest, bool /*with_gradient*/) {
  const at::Tensor z = given.contiguous();
  if (z.size(0) < 2) return {z.sum().mul(0).sub(1), at::zeros_like(z)};
  const contrastive::Reweighting by{tau, m_b, c_b, m_w, c_w};
  const LossAndGradient made = is_bounded(largest, tau) ? contrastive::reweighted_by_tiles(z, labels.contiguous(), by)
                                                        : contrastive::reweighted_by_rows(z, labels, by);
  return {made.value.to(z.scalar_type()), made.gradient};
}

/// From a value and its gradient to autograd's graph; what is saved for the backward pass is [N,E].
struct WithGradient : torch::autograd::Function<WithGradient> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& /*z*/,
                            const LossAndGradient& made) {
    context->save_for_backward({made.gradient});
    return made.value;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list upstream) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "a loss of pairs has no second derivative here");
    return {context->get_saved_variables()[0].mul(upstream[0]), at::Tensor()};
  }
};

/// make(with_gradient) below autograd and autocast, with its gradient where somebody wants one.
template <class Make>
at::Tensor differentiable(const at::Tensor& z, const Make& make) {
  const bool with_gradient = at::GradMode::is_enabled() && z.requires_grad();
  const LossAndGradient made = [&] {
    const at::AutoDispatchBelowAutograd below;
    const c10::impl::ExcludeDispatchKeyGuard in_its_type(c10::autocast_dispatch_keyset);
    const auto [value, gradient] = make(with_gradient);
    return LossAndGradient{value, gradient};
  }();
  return with_gradient ? WithGradient::apply(z, made) : made.value;
}

template <class Signature>
auto operator_of(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

at::Tensor supervised(const at::Tensor& z, const at::Tensor& labels, double temperature, double base, double largest,
                      std::int64_t classes) {
  static const auto call = operator_of<decltype(supervised_cpu)>("nearfar::supervised_contrastive_with_gradient");
  check(z, labels);
  return differentiable(
      z, [&](bool with_gradient) { return call.call(z, labels, temperature, base, largest, classes, with_gradient); });
}

at::Tensor reweighted(const at::Tensor& z, const at::Tensor& labels, double tau, double m_b, double c_b, double m_w,
                      double c_w, double largest) {
  static const auto call = operator_of<decltype(reweighted_cpu)>("nearfar::reweighted_pairs_with_gradient");
  check(z, labels);
  return differentiable(
      z, [&](bool with_gradient) { return call.call(z, labels, tau, m_b, c_b, m_w, c_w, largest, with_gradient); });
}

}  // namespace

void register_contrastive() {}  // what registers stands below, in this object file

}  // namespace nearfar

TORCH_LIBRARY_FRAGMENT(nearfar, library) {
  library.def(
      "supervised_contrastive(Tensor z, Tensor labels, float temperature, float base_temperature, float largest, "
      "int classes) -> Tensor",
      &nearfar::supervised);
  library.def(
      "supervised_contrastive_with_gradient(Tensor z, Tensor labels, float temperature, float base_temperature, "
      "float largest, int classes, bool with_gradient) -> (Tensor, Tensor)");
  library.def(
      "reweighted_pairs(Tensor z, Tensor labels, float tau, float m_b, float c_b, float m_w, float c_w, "
      "float largest) -> Tensor",
      &nearfar::reweighted);
  library.def(
      "reweighted_pairs_with_gradient(Tensor z, Tensor labels, float tau, float m_b, float c_b, float m_w, float c_w, "
      "float largest, bool with_gradient) -> (Tensor, Tensor)");
}
TORCH_LIBRARY_IMPL(nearfar, CPU, library) {
  library.impl("supervised_contrastive_with_gradient", &nearfar::supervised_cpu);
  library.impl("reweighted_pairs_with_gradient", &nearfar::reweighted_cpu);
}
TORCH_LIBRARY_IMPL(nearfar, CUDA, library) {
  library.impl("supervised_contrastive_with_gradient", &nearfar::supervised_cuda);
  library.impl("reweighted_pairs_with_gradient", &nearfar::reweighted_cuda);
}
