// The bodies of harness/kernels as kernels. Compiled with -fmad=false: the bits of the CPU (kernels/host_device.h).
#include "cuda/launch.h"

#include <cuda_runtime.h>

namespace nearfar::cuda {
namespace {

constexpr int kThreads = 256;

/// A block for each image of the result: one thread draws, all sum for the contrast, all write.
__global__ void __launch_bounds__(kThreads) augment_kernel(const AugmentJob job) {
  __shared__ augmentation::Draw draw;
  __shared__ unsigned long long gray_sum;
  const std::int64_t which = blockIdx.x;
  const std::int32_t area = job.height * job.width, first = static_cast<std::int32_t>(threadIdx.x);
  if (threadIdx.x == 0) {
    const std::int64_t index = job.indices[which % job.rows];
    if (index < 0 || index >= job.count) __trap();  // else another tensor's memory would be read without a word
    draw = augment_draw(job, which);
    gray_sum = 0;
  }
  __syncthreads();
  const std::uint8_t* image = augment_source(job, which);
  if (augment_needs_mean(job, draw)) {
    unsigned long long own = 0;  // whole numbers: the sum is the same in any order
    for (std::int32_t at = first; at < area; at += kThreads)
      own += static_cast<unsigned long long>(augment_gray(job, draw, image, at));
    atomicAdd(&gray_sum, own);
    __syncthreads();
  }
  float* out = job.out + which * area * job.channels;
  for (std::int32_t at = first; at < area; at += kThreads)
    augment_pixel(job, draw, image, static_cast<std::int64_t>(gray_sum), at, out);
}

__global__ void __launch_bounds__(kThreads) normalize_kernel(const NormalizeJob job) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; at < job.bytes; at += step)
    normalize_byte(job, at, static_cast<std::int32_t>(at % job.channels));
}

}  // namespace

int launch(const AugmentJob& job, CUstream_st* stream) {
  const std::int64_t images = job.rows * job.views;
  if (images == 0) return 0;
  augment_kernel<<<static_cast<unsigned>(images), kThreads, 0, stream>>>(job);
  return static_cast<int>(cudaGetLastError());
}

int launch(const NormalizeJob& job, CUstream_st* stream) {
  constexpr std::int64_t kMostBlocks = 1 << 20;
  const std::int64_t blocks = (job.bytes + kThreads - 1) / kThreads;
  if (blocks == 0) return 0;
  normalize_kernel<<<static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks), kThreads, 0, stream>>>(job);
  return static_cast<int>(cudaGetLastError());
}

}  // namespace nearfar::cuda
