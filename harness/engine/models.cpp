#include "engine/messages.h"
#include "engine/verbs.h"
#include "models/network.h"

#include <nlohmann/json.hpp>

namespace nearfar {
using nlohmann::json;

void models(const json&) {
  json rows = json::array();
  for (const std::string& name : architectures()) {
    const std::int64_t size = native_image_size(name);
    const auto network = make_shape_network(
        {.architecture = name, .in_channels = name == "resnet8" ? 1 : 3, .height = size, .width = size, .classes = 10});
    std::int64_t parameters = 0;
    for (const NamedTensor& tensor : network->named_tensors())
      parameters += tensor.parameter ? tensor.tensor.numel() : 0;
    rows.push_back(
        {{"name", name}, {"image_size", size}, {"feature_dim", network->feature_dim()}, {"parameters", parameters}});
  }
  send({{"type", "result"}, {"document", rows}});
}

}  // namespace nearfar
