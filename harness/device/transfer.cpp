#include "device/transfer.h"

#include "base/error.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace nearfar {
namespace {

struct Counters {
  std::atomic<std::int64_t> to_device = 0, to_device_bytes = 0, to_host = 0, to_host_bytes = 0, waits = 0;
};
Counters& counters() {
  static Counters all;
  return all;
}

std::int64_t bytes_of(const at::Tensor& tensor) { return static_cast<std::int64_t>(tensor.nbytes()); }

void count_to_device(const at::Tensor& tensor) {
  ++counters().to_device;
  counters().to_device_bytes += bytes_of(tensor);
}
void count_to_host(const at::Tensor& tensor) {
  ++counters().to_host;
  counters().to_host_bytes += bytes_of(tensor);
}

/// Bytes of pinned memory, at least as many as asked for.
void reserve(at::Tensor& pinned, std::int64_t bytes) {
  if (pinned.defined() && pinned.numel() >= bytes) return;
  pinned = at::empty({std::max<std::int64_t>(bytes, 1)}, at::TensorOptions().dtype(at::kByte).pinned_memory(true));
}

at::Tensor view_as(const at::Tensor& bytes, const at::Tensor& like) {
  return bytes.narrow(0, 0, bytes_of(like)).view(like.scalar_type()).view(like.sizes());
}

void wait(std::optional<c10::Event>& event) {
  if (!event) return;
  ++counters().waits;
  event->synchronize();
  event.reset();
}

c10::Event record(at::Device device) {
  c10::Event event(device.type());
  event.record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  return event;
}

}  // namespace

Traffic traffic() {
  const Counters& all = counters();
  return {all.to_device, all.to_device_bytes, all.to_host, all.to_host_bytes, all.waits};
}

at::Tensor download(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.is_cpu()) return tensor;
  count_to_host(tensor);
  ++counters().waits;
  return tensor.cpu();
}

std::vector<at::Tensor> download(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> host;
  std::optional<c10::Event> done;
  std::optional<at::Device> device;
  for (const at::Tensor& tensor : tensors) {
    host.push_back(tensor.defined() ? tensor.detach().contiguous() : tensor);
    if (!tensor.defined() || tensor.is_cpu()) continue;
    NEARFAR_ASSERT(!device || *device == tensor.device());
    device = tensor.device();
    count_to_host(tensor);
    at::Tensor pinned = at::empty(tensor.sizes(), at::TensorOptions(tensor.scalar_type()).pinned_memory(true));
    pinned.copy_(host.back(), /*non_blocking=*/true);
    host.back() = pinned;
  }
  if (device) done = record(*device);
  wait(done);
  return host;
}

at::Tensor upload(const at::Tensor& tensor, at::Device device) {
  if (!tensor.defined() || tensor.device() == device) return tensor;
  if (device.is_cpu()) return download(tensor);
  count_to_device(tensor);
  const bool pinned = tensor.is_cpu() && tensor.is_pinned();
  if (!pinned) ++counters().waits;
  return tensor.to(device, tensor.scalar_type(), /*non_blocking=*/pinned);
}

at::Tensor Uploader::send(const at::Tensor& host) {
  NEARFAR_ASSERT(host.is_cpu() && host.is_contiguous());
  if (device_.is_cpu()) return host;
  Buffer& buffer = buffers_[next_];
  next_ = 1 - next_;
  if (buffer.done && buffer.done->query()) buffer.done.reset();  // two slabs later it has nearly always arrived
  wait(buffer.done);
  reserve(buffer.pinned, bytes_of(host));
  const at::Tensor staged = view_as(buffer.pinned, host).copy_(host);
  count_to_device(host);
  at::Tensor sent = staged.to(device_, host.scalar_type(), /*non_blocking=*/true);
  buffer.done = record(device_);
  return sent;
}

void Downloader::fetch(const std::vector<at::Tensor>& tensors, Arrived arrived) {
  if (device_.is_cpu()) return arrived(tensors);
  Round& round = rounds_[next_];
  next_ = 1 - next_;
  deliver(round);  // empty, unless nothing was handed on for two rounds
  round.buffers.resize(tensors.size());
  round.host.assign(tensors.size(), at::Tensor());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const at::Tensor& tensor = tensors[i];
    if (!tensor.defined()) continue;
    NEARFAR_ASSERT(tensor.is_contiguous());
    reserve(round.buffers[i], bytes_of(tensor));
    round.host[i] = view_as(round.buffers[i], tensor);
    round.host[i].copy_(tensor, /*non_blocking=*/true);
    count_to_host(tensor);
  }
  round.done = record(device_);
  round.arrived = std::move(arrived);
  deliver(rounds_[next_]);  // the one before, while this one travels
}

void Downloader::finish() {
  deliver(rounds_[next_]);
  deliver(rounds_[1 - next_]);
}

void Downloader::deliver(Round& round) {
  if (!round.arrived) return;
  wait(round.done);
  const Arrived arrived = std::exchange(round.arrived, {});
  arrived(round.host);
}

}  // namespace nearfar
