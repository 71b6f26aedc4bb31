#pragma once
/// What LibTorch asks of any accelerator: its devices, streams, events, pinned memory and generators.
namespace nearfar::fake {

void register_guard_and_hooks();

}  // namespace nearfar::fake
