#include "fake_device/stream.h"

#include "fake_device/counters.h"
#include "fake_device/graph.h"
#include "fake_device/memory.h"
#include "fake_device/tensors.h"

#include <ATen/ops/empty_strided.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <list>
#include <mutex>
#include <utility>

namespace nearfar::fake {
namespace {

struct Copy {
  std::uint64_t position = 0;
  at::Tensor host = {};  // keeps the pinned memory alive
  char* memory = nullptr;
  std::string content = {};  // what goes to the host; or what the source held when the copy was asked for
  at::Tensor target = {};    // of an upload that has not been made yet
  char* target_memory = nullptr;
  bool to_host = false;

  bool overlaps(const char* other, std::size_t bytes) const {
    return memory < other + bytes && other < memory + content.size();
  }
};

struct State {
  std::mutex lock;
  std::list<Copy> copies;
  std::uint64_t position = 0;
};
State& state() {  // never destroyed, see counters.cpp
  static auto* all = new State;
  return *all;
}
std::atomic<int> unmade_uploads{0};  // lets settle() return at once, which every operator calls

void make_upload(Copy& copy) {
  if (!copy.target.defined()) return;
  std::memcpy(copy.target_memory, copy.memory, copy.content.size());
  copy.target.reset();
  --unmade_uploads;
}

/// False: the source of an upload was written before the host had waited for it.
bool land(Copy& copy) {
  if (copy.to_host) {
    std::memcpy(copy.memory, copy.content.data(), copy.content.size());
    return true;
  }
  make_upload(copy);
  return std::memcmp(copy.memory, copy.content.data(), copy.content.size()) == 0;
}

void finish(const std::function<bool(const Copy&)>& wanted) {
  std::list<Copy> finished;  // destroyed without the lock
  bool unchanged = true;
  {
    const std::lock_guard lock(state().lock);
    std::list<Copy>& copies = state().copies;
    for (auto one = copies.begin(); one != copies.end();) {
      const auto next = std::next(one);
      if (wanted(*one)) {
        unchanged = land(*one) && unchanged;
        finished.splice(finished.end(), copies, one);
      }
      one = next;
    }
  }
  TORCH_CHECK(unchanged,
              "fake device: pinned memory was written while a non_blocking copy from it was under way; wait "
              "for an event recorded after the copy first");
}

void finish_all() {
  finish([](const Copy&) { return true; });
}

/// The stream keeps its order where two copies share pinned memory, without the host having a part in it.
void finish_overlapping(const char* memory, std::size_t bytes) {
  finish([&](const Copy& copy) { return copy.overlaps(memory, bytes); });
}

void start(Copy copy) {
  const std::lock_guard lock(state().lock);
  copy.position = state().position++;
  if (!copy.to_host) ++unmade_uploads;
  state().copies.push_back(std::move(copy));
}

void refuse_in_capture(const std::string& what) {
  if (!is_capturing()) return;
  spoil_capture();
  TORCH_CHECK(false, "fake device: ", what, " makes the host wait for the device while a graph is captured");
}

}  // namespace

void wait_for_stream(const std::string& what) {
  count_wait(what);
  refuse_in_capture(what);
  TORCH_CHECK(!waits_forbidden(), "fake device: ", what, " makes the host wait for the device");
  finish_all();
}

bool fits(const at::Tensor& from, const at::Tensor& to) {
  const bool upload = from.is_cpu();
  const at::Tensor& host = upload ? from : to;
  if (!is_pinned(host.storage().data()) || !host.is_non_overlapping_and_dense() || from.sizes() != to.sizes())
    return false;
  return !upload || (from.dtype() == to.dtype() && from.strides() == to.strides());
}

void start_download(const at::Tensor& from, const at::Tensor& host) {
  count_to_host(static_cast<std::int64_t>(host.nbytes()));
  const at::Tensor content = at::empty_strided(host.sizes(), host.strides(), host.options().pinned_memory(false));
  content.copy_(on_host(from));
  auto* memory = static_cast<char*>(host.mutable_data_ptr());
  finish_overlapping(memory, host.nbytes());
  poison(memory, host.nbytes());
  start({.host = host,
         .memory = memory,
         .content = std::string(static_cast<const char*>(content.const_data_ptr()), host.nbytes()),
         .to_host = true});
}

void start_upload(const at::Tensor& host, const at::Tensor& to) {
  count_to_device(static_cast<std::int64_t>(host.nbytes()));
  auto* memory = static_cast<char*>(host.mutable_data_ptr());
  // A download to this memory comes first in the stream; uploads from it change nothing, and stay under way.
  finish([&](const Copy& copy) { return copy.to_host && copy.overlaps(memory, host.nbytes()); });
  const at::Tensor target = on_host(to);
  start({.host = host,
         .memory = memory,
         .content = std::string(memory, host.nbytes()),
         .target = to,
         .target_memory = static_cast<char*>(target.mutable_data_ptr())});
}

void settle(c10::StorageImpl& storage) {
  if (unmade_uploads == 0) return;
  std::list<at::Tensor> settled;  // released without the lock
  const std::lock_guard lock(state().lock);
  for (Copy& copy : state().copies) {
    if (!copy.target.defined() || copy.target.storage().unsafeGetStorageImpl() != &storage) continue;
    settled.push_back(copy.target);
    make_upload(copy);
  }
}

void settle_all() {
  std::list<at::Tensor> settled;
  const std::lock_guard lock(state().lock);
  for (Copy& copy : state().copies) {
    settled.push_back(copy.target);
    make_upload(copy);
  }
}

std::uint64_t stream_position() {
  const std::lock_guard lock(state().lock);
  return state().position;
}

void wait_for_position(std::uint64_t position) {
  count_wait("synchronize event");
  refuse_in_capture("an event");
  finish([=](const Copy& copy) { return copy.position < position; });
}

bool reached(std::uint64_t position) {
  refuse_in_capture("asking whether an event is done");
  finish([=](const Copy& copy) { return copy.position < position; });
  return true;
}

}  // namespace nearfar::fake
