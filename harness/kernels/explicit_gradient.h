#pragma once
/// A value whose derivatives are known as one node of autograd's graph. Also LibTorch's operator
/// nearfar::with_gradients, which plugins reach through nearfar/explicit_gradient.h. Any thread.
#include <ATen/core/Tensor.h>

namespace nearfar {

/// `value` [] as a function of `inputs`, its derivatives by them `gradients`, one of each input's shape. Without an
/// input that wants a gradient, or with autograd off, the value itself. c10::Error for other shapes and numbers, and
/// for second derivatives.
at::Tensor with_gradients(const at::Tensor& value, at::TensorList inputs, at::TensorList gradients);

/// Makes sure that this object file, and so the operator, is in the program.
void register_explicit_gradient();

}  // namespace nearfar
