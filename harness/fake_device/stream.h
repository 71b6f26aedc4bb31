#pragma once
/// The fake device's one stream. Kernels run when they are called; copies between the device and pinned memory are
/// under way until the host waits for them.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace nearfar::fake {

/// Every operator that makes the host wait says so here, before it does anything. Counts, refuses where waiting is
/// forbidden or a graph is captured, and finishes all copies.
void wait_for_stream(const std::string& what);

/// Copies of the same sizes; `host` is pinned and dense. fits() = as a GPU could do it without the host's help.
bool fits(const at::Tensor& from, const at::Tensor& to);
void start_download(const at::Tensor& from, const at::Tensor& host);
void start_upload(const at::Tensor& host, const at::Tensor& to);

/// A kernel is about to use the storage: copies to it are made now.
void settle(c10::StorageImpl& storage);
void settle_all();

/// A place in the stream, for events: everything that was enqueued before it.
std::uint64_t stream_position();
/// Waits for the copies before it; refused while a graph is captured.
void wait_for_position(std::uint64_t position);
/// Whether they are done: they are, when one asks.
bool reached(std::uint64_t position);

}  // namespace nearfar::fake
