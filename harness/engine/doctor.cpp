#include "base/error.h"
#include "device/device.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "wire/facts.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/cpu/Utils.h>

namespace nearfar {

void doctor(const wire::Nothing&) {
  const DeviceStatus& cuda = probe_devices();  // first: see device.h
  send_result(wire::DoctorFacts{.torch = NEARFAR_TORCH_VERSION,
                                .cpu_capability = at::get_cpu_capability(),
                                .threads = at::get_num_threads(),
                                .cuda = {cuda.module != nullptr, cuda.devices, cuda.reason}});
}

}  // namespace nearfar
