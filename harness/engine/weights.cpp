#include "engine/messages.h"
#include "engine/verbs.h"
#include "models/import.h"
#include "wire/facts.h"

namespace nearfar {
namespace {

Imported read(const wire::WeightsJob& job) {
  return import_weights(job.file, {.architecture = job.architecture,
                                   .height = job.height,
                                   .width = job.width,
                                   .in_channels = job.channels,
                                   .mappings = job.mappings});
}

wire::WeightsFacts facts(const Imported& imported) {
  const NetworkSpec& spec = imported.spec;
  wire::WeightsFacts facts{.architecture = spec.architecture,
                           .classes = spec.classes,
                           .head = spec.head == HeadKind::linear ? "linear" : "embedding",
                           .projection = spec.projection,
                           .embedding_dim = spec.embedding_dim,
                           .format = imported.format,
                           .mapping = imported.mapping,
                           .tensors = static_cast<std::int64_t>(imported.tensors.size())};
  for (const NamedTensor& named : imported.tensors) facts.values += named.tensor.numel();
  facts.ignored = imported.ignored;
  facts.taken = imported.taken;
  return facts;
}

}  // namespace

void weights(const wire::WeightsJob& job) { send_result(facts(read(job))); }

void import_file(const wire::WeightsJob& job) {
  const Imported imported = read(job);
  write_imported(job.output, imported);
  send_result(facts(imported));
}

}  // namespace nearfar
