#pragma once
/// Images that lie on a device as bytes become what a network takes, where they lie: training augmentation and the test
/// transform. Operators of LibTorch's dispatcher, nearfar::augment and nearfar::normalize, so that the device of
/// `pixels` chooses the code: a loop here for the CPU, libnearfar_cuda.so's kernels for a GPU, tensor operators for any
/// other device. All give the same bits. Any thread; nothing here waits for the device.
#include "kernels/augment_recipe.h"

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace nearfar {

/// Images `indices` of `pixels`, augmented and normalised, for views 0 … views - 1.
///   pixels   [N,H,W,C] uint8, contiguous        indices  [B] int64, each 0 <= i < N
///   table    [C,256] float32: the normalised value of each pixel value (models/images.h, normalization_table)
///   epoch    one int64, in a tensor: what has been captured in a graph reads the epoch of each replay
///   returns  [views * B, C, H, W] float32 in channels-last memory, all of view 0 first
/// All on one device. c10::Error for other shapes, dtypes or devices, for a recipe that is none, for jitter or grey of
/// other than one or three channels, and for crop, jitter or grey on a device without a kernel of ours. An index out of
/// range is c10::Error on the CPU, and on a GPU a fault that ends the use of that GPU in this process, as in LibTorch.
at::Tensor augment(const at::Tensor& pixels, const at::Tensor& indices, const at::Tensor& table,
                   const AugmentRecipe& recipe, std::uint64_t seed, const at::Tensor& epoch);
at::Tensor augment(const at::Tensor& pixels, const at::Tensor& indices, const at::Tensor& table,
                   const AugmentRecipe& recipe, std::uint64_t seed, std::int64_t epoch);

/// The test transform. pixels [N,H,W,C] uint8, contiguous; table [C,256] float32, on the same device -> [N,C,H,W]
/// float32 in channels-last memory. c10::Error for other shapes, dtypes or devices.
at::Tensor normalize(const at::Tensor& pixels, const at::Tensor& table);

}  // namespace nearfar
