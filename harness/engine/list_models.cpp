#include "engine/messages.h"
#include "engine/verbs.h"
#include "models/network.h"
#include "wire/facts.h"

namespace nearfar {

void models(const wire::Nothing&) {
  std::vector<wire::ModelFacts> rows;
  for (const std::string& name : architectures()) {
    const std::int64_t size = native_image_size(name);
    const auto network = make_shape_network(
        {.architecture = name, .in_channels = name == "resnet8" ? 1 : 3, .height = size, .width = size, .classes = 10});
    wire::ModelFacts facts{.name = name, .image_size = size, .feature_dim = network->feature_dim()};
    for (const NamedTensor& tensor : network->named_tensors())
      facts.parameters += tensor.parameter ? tensor.tensor.numel() : 0;
    rows.push_back(std::move(facts));
  }
  send_result(rows);
}

}  // namespace nearfar
