#pragma once
/// nearfar::augment (shift and flip) and nearfar::normalize of tensor operators alone, for a device that has no kernel
/// of ours: the same bits, some fifty small operators instead of one, and no wait. Tests call them on the CPU too.
#include "kernels/augment_job.h"

namespace nearfar::composite {

/// c10::NotImplementedError for a resized crop, jitter or grey.
at::Tensor augment(const AugmentArguments& arguments);
at::Tensor normalize(const at::Tensor& pixels, const at::Tensor& table);

}  // namespace nearfar::composite
