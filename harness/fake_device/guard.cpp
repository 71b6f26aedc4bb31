#include "fake_device/guard.h"

#include "fake_device/fake_device.h"
#include "fake_device/generator.h"
#include "fake_device/memory.h"
#include "fake_device/stream.h"

#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearfar::fake {
namespace {

struct Event {
  std::uint64_t position = 0;
};

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, device()); }

  c10::DeviceType type() const override { return kType; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  c10::Device exchangeDevice(c10::Device) const override { return device(); }
  c10::Device getDevice() const override { return device(); }
  void setDevice(c10::Device where) const override {
    TORCH_CHECK(where.index() <= 0, "fake device: there is one, not ", where);
  }
  void uncheckedSetDevice(c10::Device) const noexcept override {}

  c10::Stream getStream(c10::Device) const override { return stream(); }
  c10::Stream getDefaultStream(c10::Device) const override { return stream(); }
  c10::Stream getStreamFromGlobalPool(c10::Device, bool) const override { return stream(); }
  c10::Stream getNewStream(c10::Device, int) const override { return stream(); }
  c10::Stream exchangeStream(c10::Stream) const override { return stream(); }
  bool queryStream(const c10::Stream&) const override { return reached(stream_position()); }
  void synchronizeStream(const c10::Stream&) const override { wait_for_stream("synchronize"); }
  void synchronizeDevice(c10::DeviceIndex) const override { wait_for_stream("synchronize"); }

  void record(void** event, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {
    if (*event == nullptr) *event = new Event;
    static_cast<Event*>(*event)->position = stream_position();
  }
  void block(void*, const c10::Stream&) const override {}  // one stream: in order anyway
  bool queryEvent(void* event) const override { return reached(static_cast<Event*>(event)->position); }
  void synchronizeEvent(void* event) const override { wait_for_position(static_cast<Event*>(event)->position); }
  void destroyEvent(void* event, c10::DeviceIndex) const noexcept override { delete static_cast<Event*>(event); }
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::Device getDeviceFromPtr(void*) const override { return device(); }

  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override { return default_generator(); }
  at::Generator getNewGenerator(c10::DeviceIndex) const override { return new_generator(); }

  bool isPinnedPtr(const void* host) const override { return is_pinned(host); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return &pinned_allocator(); }

  void resizePrivateUse1Bytes(const c10::Storage& storage, std::size_t bytes) const override {
    c10::StorageImpl& impl = *storage.unsafeGetStorageImpl();
    settle(impl);
    c10::DataPtr fresh = device_allocator().allocate(bytes);
    const std::size_t kept = std::min(bytes, impl.nbytes());
    if (kept > 0) std::memcpy(host_address(fresh.get()), host_address(impl), kept);
    impl.set_data_ptr_noswap(std::move(fresh));
    impl.set_nbytes(bytes);
  }
};

}  // namespace

void register_guard_and_hooks() {
  static const c10::impl::DeviceGuardImplRegistrar registrar(kType, new Guard);
  at::RegisterPrivateUse1HooksInterface(new Hooks);
}

}  // namespace nearfar::fake
