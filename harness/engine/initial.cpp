#include "engine/initial.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "models/import.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>

namespace nearfar {

void start_from_checkpoint(const wire::TrainJob& job, Network& network) {
  const std::string found = sha256_file(job.initial);
  if (found != job.initial_sha256) {
    throw Error(ErrorKind::data, fmt::format("{}: changed since it was planned (SHA-256 {}, planned {}); run again",
                                             job.initial, found, job.initial_sha256));
  }
  const NetworkSpec& spec = network.spec();
  const Imported imported = import_weights(job.initial, {.architecture = spec.architecture,
                                                         .height = spec.height,
                                                         .width = spec.width,
                                                         .in_channels = spec.in_channels,
                                                         .mappings = job.mappings});
  const c10::AutoGradMode no_gradients(false);
  std::size_t taken = 0;
  std::vector<NamedTensor> tensors = network.named_tensors();
  for (NamedTensor& named : tensors) {
    const auto same = std::find_if(imported.tensors.begin(), imported.tensors.end(), [&](const NamedTensor& other) {
      return other.name == named.name && other.tensor.sizes() == named.tensor.sizes();
    });
    if (same != imported.tensors.end()) {
      named.tensor.copy_(same->tensor);
      ++taken;
    } else if (!named.name.starts_with("head.")) {
      throw Error(ErrorKind::data, fmt::format("{}: '{}' is missing or has another shape than {} wants", job.initial,
                                               named.name, spec.architecture));
    }
  }
  log_info(fmt::format("{}: starts from {}: {} of {} tensors{}", job.label, job.initial, taken, tensors.size(),
                       taken < tensors.size() ? ", the head starts anew" : ""));
}

}  // namespace nearfar
