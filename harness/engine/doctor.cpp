#include "base/error.h"
#include "engine/cuda.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "wire/facts.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/cpu/Utils.h>

namespace nearfar {

void doctor(const wire::Nothing&) {
  const CudaStatus cuda = probe_cuda();  // first: see cuda.h
  send_result(wire::DoctorFacts{.torch = NEARFAR_TORCH_VERSION,
                                .cpu_capability = at::get_cpu_capability(),
                                .threads = at::get_num_threads(),
                                .cuda = {cuda.usable, cuda.devices, cuda.reason}});
}

}  // namespace nearfar
