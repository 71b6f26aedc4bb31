#pragma once
/// Kernels of the fake device. Registered in this order: the second leaves alone what the first has.
namespace nearfar::fake {

/// What cannot be done by calling the CPU's kernel: new tensors, copies, convolutions.
void register_own_operators();
/// Everything else that the CPU has a kernel for, by name. A fallback for the whole device would lose to LibTorch's
/// composite kernels of structured operators, whose shape functions ask for addresses.
void register_cpu_operators();

}  // namespace nearfar::fake
