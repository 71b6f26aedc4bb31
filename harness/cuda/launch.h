#pragma once
/// The kernels' launches: raw pointers and a stream, so that nvcc need not read LibTorch's headers (2 s instead of 20).
/// Each enqueues and returns a cudaError_t as an int, 0 for success. Called on the device of the job's memory.
#include "kernels/augment_body.h"
#include "kernels/normalize_body.h"

struct CUstream_st;

namespace nearfar::cuda {

int launch(const AugmentJob& job, CUstream_st* stream);
int launch(const NormalizeJob& job, CUstream_st* stream);

}  // namespace nearfar::cuda
