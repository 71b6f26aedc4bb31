// Mixed precision on the fake device, by LibTorch's own lists for accelerators.
#include <ATen/autocast_mode.h>
#include <torch/library.h>

// The macros count on it.
using namespace at::autocast;

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, library) { library.fallback(torch::CppFunction::makeFallthrough()); }

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {
#define NEARFAR_LOWER(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, lower_precision_fp)
#define NEARFAR_FP32(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32)
#define NEARFAR_PROMOTE(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, promote)
#define NEARFAR_SET(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32_set_opt_dtype)
  AT_FORALL_LOWER_PRECISION_FP(NEARFAR_LOWER)
  AT_FORALL_FP32(NEARFAR_FP32)
  AT_FORALL_FP32_SET_OPT_DTYPE(NEARFAR_SET)
  AT_FORALL_PROMOTE(NEARFAR_PROMOTE)
}
