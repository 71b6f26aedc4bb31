// The operators: which way a loss of pairs is computed, and its gradient as part of a graph.
#include "kernels/contrastive.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace nearfar {
namespace {

using contrastive::LossAndGradient;
using contrastive::Reweighting;

void check(const at::Tensor& z, const at::Tensor& labels) {
  TORCH_CHECK(z.dim() == 2 && (z.scalar_type() == at::kFloat || z.scalar_type() == at::kDouble),
              "the rows are not [N,E] float32 or float64, but ", z.sizes(), " ", z.scalar_type());
  TORCH_CHECK(labels.dim() == 1 && labels.size(0) == z.size(0) && labels.scalar_type() == at::kLong,
              "the labels are not [", z.size(0), "] int64, but ", labels.sizes(), " ", labels.scalar_type());
  TORCH_CHECK(labels.device() == z.device(), "rows on ", z.device(), ", labels on ", labels.device());
}

/// Is the exp of every product / temperature far from infinity and from zero? On the CPU, where it costs no wait, by a
/// look: |z_i . z_j| is at most the largest squared length, and with a NaN or an infinity it is not. Else by the
/// caller's promise.
bool is_bounded(const at::Tensor& z, double temperature, double largest) {
  constexpr double kMost = 40;
  if (z.device().is_cpu()) largest = z.square().sum(1).max().item<double>();
  return largest > 0 && largest / temperature <= kMost;
}

LossAndGradient supervised(const at::Tensor& given, const at::Tensor& labels, double temperature, double base,
                           double largest, std::int64_t classes) {
  check(given, labels);
  const at::Tensor z = given.detach().contiguous();
  if (z.size(0) < 2) {  // no other row, so no pair; NaN where the row is
    return {z.sum().mul(0).to(at::kDouble), at::zeros_like(z)};
  }
  return classes > 0 && is_bounded(z, temperature, largest)
             ? contrastive::supervised_by_tiles(z, labels.contiguous(), classes, temperature, base)
             : contrastive::supervised_by_rows(z, labels, temperature, base);
}

LossAndGradient reweighted(const at::Tensor& given, const at::Tensor& labels, const Reweighting& by, double largest) {
  check(given, labels);
  const at::Tensor z = given.detach().contiguous();
  if (z.size(0) < 2) return {z.sum().mul(0).sub(1).to(at::kDouble), at::zeros_like(z)};
  return is_bounded(z, by.tau, largest) ? contrastive::reweighted_by_tiles(z, labels.contiguous(), by)
                                        : contrastive::reweighted_by_rows(z, labels, by);
}

/// The gradient is made together with the value; what is saved for the backward pass is [N,E].
struct WithGradient : torch::autograd::Function<WithGradient> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& z,
                            const LossAndGradient& made) {
    context->save_for_backward({std::get<1>(made)});
    return std::get<0>(made).to(z.scalar_type());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list upstream) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "a loss of pairs has no second derivative here");
    return {context->get_saved_variables()[0].mul(upstream[0]), at::Tensor()};
  }
};

at::Tensor supervised_graph(const at::Tensor& z, const at::Tensor& labels, double temperature, double base,
                            double largest, std::int64_t classes) {
  return WithGradient::apply(z, supervised(z, labels, temperature, base, largest, classes));
}

at::Tensor supervised_value(const at::Tensor& z, const at::Tensor& labels, double temperature, double base,
                            double largest, std::int64_t classes) {
  return std::get<0>(supervised(z, labels, temperature, base, largest, classes)).to(z.scalar_type());
}

at::Tensor reweighted_graph(const at::Tensor& z, const at::Tensor& labels, double tau, double m_b, double c_b,
                            double m_w, double c_w, double largest) {
  return WithGradient::apply(z, reweighted(z, labels, {tau, m_b, c_b, m_w, c_w}, largest));
}

at::Tensor reweighted_value(const at::Tensor& z, const at::Tensor& labels, double tau, double m_b, double c_b,
                            double m_w, double c_w, double largest) {
  return std::get<0>(reweighted(z, labels, {tau, m_b, c_b, m_w, c_w}, largest)).to(z.scalar_type());
}

}  // namespace

void register_contrastive() {}  // what registers stands below, in this object file

}  // namespace nearfar

TORCH_LIBRARY_FRAGMENT(nearfar, library) {
  library.def(
      "supervised_contrastive(Tensor z, Tensor labels, float temperature, float base_temperature, float largest, "
      "int classes) -> Tensor");
  library.def(
      "reweighted_pairs(Tensor z, Tensor labels, float tau, float m_b, float c_b, float m_w, float c_w, "
      "float largest) -> Tensor");
}
TORCH_LIBRARY_IMPL(nearfar, CompositeExplicitAutograd, library) {
  library.impl("supervised_contrastive", &nearfar::supervised_value);
  library.impl("reweighted_pairs", &nearfar::reweighted_value);
}
TORCH_LIBRARY_IMPL(nearfar, Autograd, library) {
  library.impl("supervised_contrastive", &nearfar::supervised_graph);
  library.impl("reweighted_pairs", &nearfar::reweighted_graph);
}
