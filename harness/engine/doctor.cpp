#include "base/error.h"
#include "engine/cuda.h"
#include "engine/messages.h"
#include "engine/verbs.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/cpu/Utils.h>
#include <nlohmann/json.hpp>

namespace nearfar {

void doctor(const nlohmann::json&) {
  const CudaStatus cuda = probe_cuda();  // first: see cuda.h
  send({{"type", "result"},
        {"document",
         {{"torch", NEARFAR_TORCH_VERSION},
          {"cpu_capability", at::get_cpu_capability()},
          {"threads", at::get_num_threads()},
          {"cuda", {{"usable", cuda.usable}, {"devices", cuda.devices}, {"reason", cuda.reason}}}}}});
}

}  // namespace nearfar
