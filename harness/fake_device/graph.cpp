#include "fake_device/graph.h"

#include "fake_device/counters.h"
#include "fake_device/memory.h"
#include "fake_device/stream.h"

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

#include <mutex>
#include <utility>
#include <vector>

namespace nearfar::fake {
namespace {

struct Capture {
  std::vector<std::function<void()>> work;
  MemoryImage memory;    // as it was before
  at::Generator chance;  // likewise: a copy of LibTorch's own generator
  bool spoilt = false;
};

struct State {
  std::mutex lock;
  Capture* current = nullptr;
};
State& state() {  // never destroyed, see counters.cpp
  static auto* all = new State;
  return *all;
}

class Graph final : public DeviceGraph {
 public:
  ~Graph() override {
    if (stop()) undo();
  }

  void begin() override {
    settle_all();  // what is under way belongs to the time before
    auto capture = std::make_unique<Capture>();
    capture->memory = take_image();
    capture->chance = at::detail::getDefaultCPUGenerator().clone();
    const std::lock_guard lock(state().lock);
    TORCH_CHECK(state().current == nullptr, "fake device: a graph is being captured already");
    capture_ = std::move(capture);
    ready_ = false;
    state().current = capture_.get();
  }

  void end() override {
    TORCH_CHECK(stop(), "fake device: this graph is not being captured");
    undo();
    TORCH_CHECK(!capture_->spoilt, "fake device: the graph's capture failed before its end");
    ready_ = true;
  }

  void replay() override {
    TORCH_CHECK(ready_, "fake device: this graph has not been captured");
    TORCH_CHECK(!is_capturing(), "fake device: a graph cannot be replayed while one is captured");
    count_kernel("graph replay");
    const c10::AutoGradMode none(false);
    for (const auto& work : capture_->work) work();
  }

 private:
  bool stop() {
    const std::lock_guard lock(state().lock);
    if (capture_ == nullptr || state().current != capture_.get()) return false;
    state().current = nullptr;
    return true;
  }

  /// Operators did run, to find out the shapes of their results. A GPU only records them.
  void undo() {
    restore_image(capture_->memory);
    capture_->memory.clear();
    at::Generator chance = at::detail::getDefaultCPUGenerator();
    const std::lock_guard lock(chance.mutex());
    chance.set_state(capture_->chance.get_state());
  }

  std::unique_ptr<Capture> capture_;
  bool ready_ = false;
};

}  // namespace

bool is_capturing() {
  const std::lock_guard lock(state().lock);
  return state().current != nullptr;
}

void record(std::function<void()> work) {
  const std::lock_guard lock(state().lock);
  if (state().current != nullptr) state().current->work.push_back(std::move(work));
}

void spoil_capture() {
  const std::lock_guard lock(state().lock);
  if (state().current != nullptr) state().current->spoilt = true;
}

std::unique_ptr<DeviceGraph> make_graph() { return std::make_unique<Graph>(); }

}  // namespace nearfar::fake
