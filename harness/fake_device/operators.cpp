#include "fake_device/operators.h"

#include "fake_device/counters.h"
#include "fake_device/graph.h"
#include "fake_device/stream.h"
#include "fake_device/tensors.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <c10/core/GradMode.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <vector>

namespace nearfar::fake {
namespace {

using Layout = std::optional<c10::Layout>;
using Type = std::optional<at::ScalarType>;
using Where = std::optional<c10::Device>;

at::Tensor empty_strided(c10::IntArrayRef sizes, c10::IntArrayRef strides, Type type, Layout, Where,
                         std::optional<bool> pinned) {
  TORCH_CHECK(!pinned.value_or(false), "fake device: only memory of the host can be pinned");
  return new_tensor(sizes, strides, c10::dtype_or_default(type));
}

at::Tensor empty_memory_format(c10::IntArrayRef sizes, Type type, Layout layout, Where where,
                               std::optional<bool> pinned, std::optional<c10::MemoryFormat> format) {
  std::vector<std::int64_t> strides(sizes.size());
  std::int64_t next = 1;
  for (std::size_t d = sizes.size(); d-- > 0; next *= std::max<std::int64_t>(sizes[d], 1)) strides[d] = next;
  at::Tensor made = empty_strided(sizes, strides, type, layout, where, pinned);
  if (format && *format != c10::MemoryFormat::Contiguous && *format != c10::MemoryFormat::Preserve)
    made.unsafeGetTensorImpl()->empty_tensor_restride(*format);
  return made;
}

at::Tensor as_strided(const at::Tensor& self, c10::IntArrayRef sizes, c10::IntArrayRef strides,
                      std::optional<std::int64_t> offset) {
  at::Tensor view = view_of(self, self);
  view.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides, offset.value_or(self.storage_offset()));
  return view;
}

void copy_on_device(const at::Tensor& from, const at::Tensor& to) {
  count_kernel("aten::copy_");
  on_host(to).copy_(on_host(from));
  record([from, to] { on_host(to).copy_(on_host(from)); });
}

/// Between pinned memory and the device: the stream does it, later.
void copy_in_stream(const at::Tensor& from, const at::Tensor& to) {
  const auto start = [from, to] { is_ours(to) ? start_upload(from, to) : start_download(from, to); };
  if (!is_capturing()) return start();
  // Shapes need values that kernels accept, labels above all; the host gets nothing of a capture.
  if (is_ours(to)) on_host(to).copy_(from);
  record(start);
}

/// The host waits for it.
void copy_blocking(const at::Tensor& from, const at::Tensor& to) {
  const auto bytes = static_cast<std::int64_t>(from.nbytes());
  if (is_ours(to)) {
    wait_for_stream("copy to device");
    count_to_device(bytes);
    on_host(to).copy_(from);
  } else {
    wait_for_stream("copy to host");
    count_to_host(bytes);
    at::Tensor target = to;
    target.copy_(on_host(from));
  }
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  if (to.numel() == 0) return to;
  if (is_ours(from) && is_ours(to))
    copy_on_device(from, to);
  else if (non_blocking && fits(from, to))
    copy_in_stream(from, to);
  else
    copy_blocking(from, to);
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  to.resize_(from.sizes());
  return copy_from(from, to, /*non_blocking=*/false);
}

/// What at::convolution is told besides the tensors.
struct Shape {
  std::vector<std::int64_t> stride, padding, dilation, output_padding;
  bool transposed;
  std::int64_t groups;
};

void check_same_device(const at::Tensor& in, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  const bool same = is_ours(in) && is_ours(weight) && (!bias || !bias->defined() || is_ours(*bias));
  TORCH_CHECK(same, "fake device: aten::convolution is given tensors of the device together with others: input ",
              in.device(), ", weight ", weight.device());
}

at::Tensor convolution(const at::Tensor& in, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       c10::IntArrayRef stride, c10::IntArrayRef padding, c10::IntArrayRef dilation, bool transposed,
                       c10::IntArrayRef output_padding, std::int64_t groups) {
  check_same_device(in, weight, bias);
  count_kernel("aten::convolution");
  const Shape shape{stride.vec(), padding.vec(), dilation.vec(), output_padding.vec(), transposed, groups};
  const auto run = [in, weight, bias, shape] {
    const c10::AutoGradMode none(false);
    const std::optional<at::Tensor> own = bias && bias->defined() ? std::optional(on_host(*bias)) : std::nullopt;
    return at::convolution(on_host(in), on_host(weight), own, shape.stride, shape.padding, shape.dilation,
                           shape.transposed, shape.output_padding, shape.groups);
  };
  const at::Tensor result = to_device(run());
  record([run, result] { on_host(result).copy_(run()); });
  return result;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(const at::Tensor& gradient, const at::Tensor& in,
                                                                    const at::Tensor& weight, c10::IntArrayRef stride,
                                                                    c10::IntArrayRef padding, c10::IntArrayRef dilation,
                                                                    bool transposed, c10::IntArrayRef output_padding,
                                                                    std::int64_t groups, std::array<bool, 3> wanted) {
  check_same_device(in, weight, gradient);
  count_kernel("aten::convolution_backward");
  const Shape shape{stride.vec(), padding.vec(), dilation.vec(), output_padding.vec(), transposed, groups};
  const auto run = [gradient, in, weight, shape, wanted] {
    const c10::AutoGradMode none(false);
    const std::vector<std::int64_t> bias{shape.transposed ? weight.size(1) * shape.groups : weight.size(0)};
    const auto [x, w, b] =
        at::convolution_backward(on_host(gradient), on_host(in), on_host(weight), bias, shape.stride, shape.padding,
                                 shape.dilation, shape.transposed, shape.output_padding, shape.groups, wanted);
    return std::array{x, w, b};
  };
  std::array<at::Tensor, 3> results = run();
  for (at::Tensor& one : results)
    if (one.defined()) one = to_device(one);
  record([run, results] {
    const std::array<at::Tensor, 3> again = run();
    for (std::size_t i = 0; i < 3; ++i)
      if (again[i].defined()) on_host(results[i]).copy_(again[i]);
  });
  return {results[0], results[1], results[2]};
}

}  // namespace

void register_own_operators() {
  static auto* library =
      new torch::Library(torch::Library::IMPL, "aten", c10::DispatchKey::PrivateUse1, __FILE__, __LINE__);
  library->impl("empty.memory_format", &empty_memory_format);
  library->impl("empty_strided", &empty_strided);
  library->impl("as_strided", &as_strided);
  library->impl("_copy_from", &copy_from);
  library->impl("_copy_from_and_resize", &copy_from_and_resize);
  library->impl("convolution_overrideable", &convolution);
  library->impl("convolution_backward_overrideable", &convolution_backward);
}

}  // namespace nearfar::fake
