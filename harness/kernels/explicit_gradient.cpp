#include "kernels/explicit_gradient.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <vector>

namespace nearfar {
namespace {

/// The gradients are saved, the inputs only said to be such.
struct Node : torch::autograd::Function<Node> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& value,
                            at::TensorList /*inputs*/, const std::vector<at::Tensor>& gradients) {
    context->save_for_backward(gradients);
    return value.clone();  // what is returned must not be what was given
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list upstream) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "a loss with explicit gradients has no second derivative");
    torch::autograd::variable_list result{at::Tensor()};  // of the value
    for (const at::Tensor& gradient : context->get_saved_variables())
      result.push_back(gradient.mul(upstream[0].to(gradient.scalar_type())));
    result.emplace_back();  // of the gradients
    return result;
  }
};

}  // namespace

at::Tensor with_gradients(const at::Tensor& value, at::TensorList inputs, at::TensorList gradients) {
  TORCH_CHECK(value.defined() && value.dim() == 0 && value.is_floating_point(),
              "the loss is not a floating-point scalar");
  TORCH_CHECK(inputs.size() == gradients.size(), inputs.size(), " inputs, but ", gradients.size(), " gradients");
  bool wanted = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    TORCH_CHECK(inputs[i].sizes() == gradients[i].sizes(), "a gradient ", gradients[i].sizes(), " for an input ",
                inputs[i].sizes());
    wanted = wanted || inputs[i].requires_grad();
  }
  if (!wanted || !at::GradMode::is_enabled()) return value.detach();
  std::vector<at::Tensor> kept;
  for (const at::Tensor& gradient : gradients) kept.push_back(gradient.detach());
  return Node::apply(value.detach(), inputs, kept);
}

void register_explicit_gradient() {}  // what registers stands below, in this object file

}  // namespace nearfar

TORCH_LIBRARY_FRAGMENT(nearfar, library) {
  library.def("with_gradients(Tensor value, Tensor[] inputs, Tensor[] gradients) -> Tensor", &nearfar::with_gradients);
}
