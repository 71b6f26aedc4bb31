// The CUDA kernels of nearfar::augment and nearfar::normalize; kernels/augment.cpp, in the engine, defines the
// operators.
#include "cuda/launch.h"
#include "kernels/augment_job.h"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

namespace nearfar::cuda {
namespace {

template <class Job>
void enqueue(const Job& job) {
  C10_CUDA_CHECK(static_cast<cudaError_t>(launch(job, c10::cuda::getCurrentCUDAStream())));
}

at::Tensor augment(const at::Tensor& pixels, const at::Tensor& indices, const at::Tensor& table,
                   const at::Tensor& epoch, std::int64_t seed, std::int64_t views, std::int64_t shift,
                   double smallest_crop, bool flip, c10::ArrayRef<double> jitter, double jitter_share,
                   double gray_share) {
  const AugmentArguments arguments{pixels, indices,       table, epoch,  seed,         views,
                                   shift,  smallest_crop, flip,  jitter, jitter_share, gray_share};
  check_augment(arguments);
  const c10::cuda::CUDAGuard guard(pixels.device());
  at::Tensor out = image_batch(views * indices.size(0), pixels, table);
  enqueue(augment_job(arguments, out));
  return out;
}

at::Tensor normalize(const at::Tensor& pixels, const at::Tensor& table) {
  check_normalize(pixels, table);
  const c10::cuda::CUDAGuard guard(pixels.device());
  at::Tensor out = image_batch(pixels.size(0), pixels, table);
  enqueue(normalize_job(pixels, table, out));
  return out;
}

}  // namespace
}  // namespace nearfar::cuda

TORCH_LIBRARY_IMPL(nearfar, CUDA, library) {
  library.impl("augment", &nearfar::cuda::augment);
  library.impl("normalize", &nearfar::cuda::normalize);
}
