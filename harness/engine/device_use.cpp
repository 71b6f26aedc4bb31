#include "engine/device_use.h"

#include "device/device.h"
#include "device/transfer.h"

#include <utility>

namespace nearfar {

wire::DeviceUse DeviceUseMeter::read() {
  if (device_.is_cpu()) return {};
  const Traffic all = traffic();
  const wire::DeviceUse now{.to_device = all.to_device,
                            .to_device_bytes = all.to_device_bytes,
                            .to_host = all.to_host,
                            .to_host_bytes = all.to_host_bytes,
                            .waits = all.waits,
                            .peak_bytes = device_memory(device_).peak};
  const wire::DeviceUse before = std::exchange(before_, now);
  return {.to_device = now.to_device - before.to_device,
          .to_device_bytes = now.to_device_bytes - before.to_device_bytes,
          .to_host = now.to_host - before.to_host,
          .to_host_bytes = now.to_host_bytes - before.to_host_bytes,
          .waits = now.waits - before.waits,
          .peak_bytes = now.peak_bytes};
}

}  // namespace nearfar
