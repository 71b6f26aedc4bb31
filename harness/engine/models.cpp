#include <nlohmann/json.hpp>

#include "engine/messages.h"
#include "engine/verbs.h"
#include "models/network.h"

namespace nearfar {
using nlohmann::json;

void models(const json&) {
  json rows = json::array();
  for (const std::string& name : architectures()) {
    const auto network = make_network({.architecture = name, .classes = 10}, 0);
    std::int64_t parameters = 0;
    for (const NamedTensor& tensor : network->named_tensors()) parameters += tensor.parameter ? tensor.tensor.numel() : 0;
    rows.push_back({{"name", name}, {"feature_dim", network->feature_dim()}, {"parameters", parameters}});
  }
  send({{"type", "result"}, {"document", rows}});
}

}  // namespace nearfar
