#include "engine/messages.h"
#include "engine/verbs.h"
#include "models/import.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {
using nlohmann::json;

Imported read(const json& job) {
  return import_weights(job.at("file").get<std::string>(), {.architecture = job.at("architecture"),
                                                            .height = job.at("height"),
                                                            .width = job.at("width"),
                                                            .in_channels = job.at("channels"),
                                                            .mappings = job.at("mappings").get<std::string>()});
}

json facts(const Imported& imported) {
  std::int64_t parameters = 0;
  for (const NamedTensor& named : imported.tensors) parameters += named.tensor.numel();
  const NetworkSpec& spec = imported.spec;
  return {{"architecture", spec.architecture},
          {"classes", spec.classes},
          {"head", spec.head == HeadKind::linear ? "linear" : "embedding"},
          {"projection", spec.projection},
          {"embedding_dim", spec.embedding_dim},
          {"format", imported.format},
          {"mapping", imported.mapping},
          {"tensors", imported.tensors.size()},
          {"values", parameters},
          {"ignored", imported.ignored}};
}
}  // namespace

void weights(const json& job) { send({{"type", "result"}, {"document", facts(read(job))}}); }

void import_file(const json& job) {
  const Imported imported = read(job);
  write_imported(job.at("output").get<std::string>(), imported);
  send({{"type", "result"}, {"document", facts(imported)}});
}

}  // namespace nearfar
