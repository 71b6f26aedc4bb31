#pragma once
/// A network that Python exported (torch.export.save), as a Network: its graph is run node by node, so that gradients,
/// maps and changed images work as in any other. Not thread-safe, as every Network.
#include "models/network.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {

struct ExportOptions {
  std::string feature_node = {};  ///< value whose [N,D] is the feature; "" = what enters the last linear layer
  std::vector<std::string> map_nodes = {};           ///< values that are the maps of stages, in order
  std::int64_t channels = 0, height = 0, width = 0;  ///< of the images it will see; 0 = as the export says
  at::Device device = at::kCPU;                      ///< where it runs
};

/// What an export is, for people and plans.
struct ExportDescription {
  std::int64_t channels = 0, height = 0, width = 0;  ///< of its images
  std::int64_t batch = 0;  ///< images that it takes at once, if it was exported for a number; else 0
  std::int64_t classes = 0, feature_dim = 0, stages = 0, parameters = 0;
  std::string feature_node = {};     ///< "" = it has no features but its logits
  bool has_head = false;             ///< logits = weight · feature + bias, with constant weight and bias
  std::string without_float64 = {};  ///< why there is no float64 copy; "" = there is
  std::string torch_version = {};
};

/// A value that can be named as feature or map: "relu_3", "torch.ops.aten.relu.default", "Float [N,64,8,8]".
struct ExportNode {
  std::string name = {}, target = {}, shape = {};
};

class ExportedNetwork : public Network {
 public:
  virtual ExportDescription description() const = 0;
  /// Tensors that it computes on the way to its logits, in order.
  virtual std::vector<ExportNode> nodes() const = 0;
};

/// In evaluation mode; its spec has a linear head, of as many classes as there are logits. Batches of any size run:
/// those that a fixed batch does not take are cut into pieces, and the last is filled up with zeros. Error(data): what
/// read_export and Program say; images of another shape than it was exported for, with both; logits that are not [N,C].
/// Error(config): a node that there is not (with the nearest name), or that is no cut or of another shape.
std::unique_ptr<ExportedNetwork> open_exported(const std::filesystem::path& file, const ExportOptions& options = {});

}  // namespace nearfar
