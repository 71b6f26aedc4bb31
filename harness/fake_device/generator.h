#pragma once
/// Random numbers of the fake device: the CPU's, so that a seed gives the same ones on both.
#include <ATen/core/Generator.h>

namespace nearfar::fake {

/// The default one of the device is LibTorch's default one for the CPU.
const at::Generator& default_generator();
at::Generator new_generator();

/// The CPU generator that does a device generator's work.
at::Generator host_generator(const at::Generator& device);

}  // namespace nearfar::fake
