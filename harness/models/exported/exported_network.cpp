#include "models/exported/exported_network.h"

#include "base/error.h"
#include "base/text.h"
#include "models/exported/head.h"
#include "models/exported/operator_table.h"
#include "models/exported/program.h"
#include "models/mismatch.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nearfar {
namespace {
using exported::kNoValue;
using exported::Program;
using exported::Slice;
using exported::Value;
using exported::ValueId;

/// What hooks of OpenOOD's methods would see, of a network whose modules are not known any more.
constexpr auto kLayers =
    std::to_array<std::string_view>({"conv2d", "convolution", "elu", "gelu", "hardswish", "hardtanh", "leaky_relu",
                                     "mish", "prelu", "relu", "relu6", "selu", "silu"});

/// The nodes at which a network is entered and left.
struct Parts {
  ValueId feature = kNoValue;  ///< kNoValue: logits alone
  std::vector<ValueId> maps = {}, layers = {};
  std::int64_t batch = 0, most = 0;  ///< images at once: exactly, at most
  Slice features = {}, output = {}, seen = {};
  std::vector<Slice> to_map = {}, from_map = {};
};

class Exported final : public ExportedNetwork {
 public:
  Exported(std::shared_ptr<const Program> program, std::shared_ptr<const Parts> parts, NetworkSpec spec,
           exported::Head head)
      : program_(std::move(program)), parts_(std::move(parts)), spec_(std::move(spec)), head_(std::move(head)) {
    const exported::Graph& graph = program_->graph();
    feature_dim_ = parts_->feature == kNoValue ? spec_.classes : value(parts_->feature).shape[1].size;
    for (std::size_t i = 0; i < graph.constants.size(); ++i) {
      const exported::Constant& constant = graph.constants[i];
      if (constant.kind != exported::Constant::Kind::tensor)
        tensors_.push_back({"backbone." + constant.name, program_->constants()[i],
                            constant.kind == exported::Constant::Kind::parameter});
    }
    if (has_head_weights()) {
      tensors_.push_back({"head.weight", head_.weight, true});
      tensors_.push_back({"head.bias", head_.bias, true});
    }
  }

  at::Tensor features(const at::Tensor& images) override { return run(parts_->features, images).front(); }
  at::Tensor output(const at::Tensor& features) override {
    return parts_->feature == kNoValue ? features : run(parts_->output, features).front();
  }
  std::int64_t stages() const override { return static_cast<std::int64_t>(parts_->maps.size()); }
  at::Tensor features_seen(const at::Tensor& images, Activations& seen) override {
    std::vector<at::Tensor> all = run(parts_->seen, images);
    const auto maps = all.begin() + 1, layers = maps + stages();
    seen = {.stages = {maps, layers}, .layers = {layers, all.end()}};
    return all.front();
  }
  at::Tensor map(const at::Tensor& images, std::int64_t stage) override {
    return run(parts_->to_map[checked(stage)], images).front();
  }
  at::Tensor features_from(const at::Tensor& map, std::int64_t stage) override {
    return run(parts_->from_map[checked(stage)], map).front();
  }

  std::vector<NamedTensor> named_tensors() override { return tensors_; }
  void train(bool on) override { training_ = on; }
  bool is_training() const override { return training_; }
  const NetworkSpec& spec() const override { return spec_; }
  at::Device device() const override { return program_->device(); }
  std::int64_t feature_dim() const override { return feature_dim_; }
  bool has_head_weights() const override { return head_.weight.defined(); }

  std::unique_ptr<Network> in_float64() override {
    exported::Head head = head_;
    if (has_head_weights())
      head = {.feature = head.feature, .weight = head.weight.to(at::kDouble), .bias = head.bias.to(at::kDouble)};
    return std::make_unique<Exported>(program_->in_float64(), parts_, spec_, std::move(head));
  }

  ExportDescription description() const override {
    ExportDescription is{.channels = spec_.in_channels,
                         .height = spec_.height,
                         .width = spec_.width,
                         .batch = parts_->batch,
                         .classes = spec_.classes,
                         .feature_dim = feature_dim_,
                         .stages = stages(),
                         .has_head = has_head_weights(),
                         .torch_version = program_->graph().torch_version};
    if (parts_->feature != kNoValue) is.feature_node = value(parts_->feature).name;
    for (std::size_t i = 0; i < program_->constants().size(); ++i) {
      if (program_->graph().constants[i].kind == exported::Constant::Kind::parameter)
        is.parameters += program_->constants()[i].numel();
    }
    try {
      program_->require_float64();
    } catch (const Error& error) {
      is.without_float64 = error.what();
    }
    return is;
  }

  std::vector<ExportNode> nodes() const override {
    std::vector<ExportNode> all;
    const exported::Graph& graph = program_->graph();
    for (const std::int32_t index : program_->slice(graph.input, {graph.output}).nodes) {
      const exported::Node& node = graph.nodes[static_cast<std::size_t>(index)];
      for (const exported::Result& result : node.results) {
        for (const ValueId made : result.values) {
          if (made != kNoValue && value(made).has_shape)
            all.push_back({printable(value(made).name), node.target, exported::shape_text(value(made))});
        }
      }
    }
    return all;
  }

 private:
  const Value& value(ValueId id) const { return program_->graph().values[static_cast<std::size_t>(id)]; }

  std::size_t checked(std::int64_t stage) const {
    if (stage < 0 || stage >= stages())
      throw Error(ErrorKind::config, fmt::format("{}: has no map of stage {}; its maps are named by model.map_nodes",
                                                 program_->source(), stage));
    return static_cast<std::size_t>(stage);
  }

  /// In pieces where the export takes only so many images at once; the last piece of a fixed batch is filled up.
  std::vector<at::Tensor> run(const Slice& slice, const at::Tensor& start) const {
    const std::int64_t count = start.size(0), most = parts_->most;
    if (count == parts_->batch || (parts_->batch == 0 && count <= most)) return program_->run(slice, start);
    std::vector<std::vector<at::Tensor>> pieces(slice.to.size());
    for (std::int64_t first = 0; first < count; first += most) {
      const std::int64_t size = std::min(most, count - first);
      at::Tensor piece = start.narrow(0, first, size);
      if (parts_->batch > size) {
        std::vector<std::int64_t> rest = start.sizes().vec();
        rest[0] = parts_->batch - size;
        piece = at::cat({piece, at::zeros(rest, start.options())});
      }
      const std::vector<at::Tensor> made = program_->run(slice, piece);
      for (std::size_t i = 0; i < made.size(); ++i) pieces[i].push_back(made[i].narrow(0, 0, size));
    }
    std::vector<at::Tensor> whole;
    for (const auto& parts : pieces) whole.push_back(at::cat(parts));
    return whole;
  }

  std::shared_ptr<const Program> program_;
  std::shared_ptr<const Parts> parts_;  ///< shared with the float64 copy
  NetworkSpec spec_;
  exported::Head head_;
  std::int64_t feature_dim_ = 0;
  std::vector<NamedTensor> tensors_;
  bool training_ = false;
};

/// Opens a file: what is where, and whether it fits together.
class Opener {
 public:
  Opener(const std::filesystem::path& file, const ExportOptions& options) : file_(file.string()), options_(options) {}

  std::unique_ptr<ExportedNetwork> open() {
    exported::Export read = exported::read_export(file_);
    check_images(read.graph);
    program_ = std::make_shared<Program>(std::move(read), file_,
                                         std::vector{spec_.in_channels, spec_.height, spec_.width}, options_.device);
    const Value& logits = value(graph().output);
    if (!logits.has_shape || logits.shape.size() != 2 || logits.shape[1].size <= 0 || !per_image(logits))
      throw Error(ErrorKind::data,
                  fmt::format("{}: returns {}, expected logits, [N,C]", file_, exported::shape_text(logits)));
    spec_.architecture = "exported";
    spec_.classes = logits.shape[1].size;
    exported::Head head = exported::find_head(*program_);
    Parts parts = cut(head);
    if (parts.feature != head.feature) head = {};
    return std::make_unique<Exported>(program_, std::make_shared<const Parts>(std::move(parts)), spec_,
                                      std::move(head));
  }

 private:
  const exported::Graph& graph() const { return program_->graph(); }
  const Value& value(ValueId id) const { return graph().values[static_cast<std::size_t>(id)]; }

  void check_images(const exported::Graph& graph) {
    const Value& images = graph.values[static_cast<std::size_t>(graph.input)];
    if (!images.has_shape || images.shape.size() != 4 || exported::dtype_name(images.dtype) != "Float")
      throw Error(ErrorKind::data, fmt::format("{}: takes {}, expected images, Float [N,channels,height,width]; export "
                                               "the module in float32 (module.float())",
                                               file_, exported::shape_text(images)));
    const std::array wanted{options_.channels, options_.height, options_.width};
    const std::array<std::int64_t*, 3> sizes{&spec_.in_channels, &spec_.height, &spec_.width};
    for (std::size_t i = 0; i < 3; ++i) {
      const exported::Dimension& has = images.shape[i + 1];
      *sizes[i] = has.size > 0 ? has.size : wanted[i] > 0 ? wanted[i] : has.example;
      const bool fits =
          has.size > 0 ? wanted[i] == 0 || wanted[i] == has.size : *sizes[i] >= has.least && *sizes[i] <= has.most;
      if (!fits)
        throw Error(
            ErrorKind::data,
            fmt::format("{}: was exported for images [{}], the benchmark has [{},{},{}] (channels, height, width); "
                        "export it with "
                        "an example of that shape, torch.randn(2, {}, {}, {}), or choose a benchmark of its size",
                        file_, exported::shape_text(images).substr(std::string("Float [N,").size()), wanted[0],
                        wanted[1], wanted[2], wanted[0], wanted[1], wanted[2]));
    }
    batch_ = images.shape[0];
  }

  ValueId named(const std::string& name, const char* key) const {
    const ValueId found = graph().find(name);
    if (found != kNoValue && value(found).producer >= 0 && value(found).has_shape) return found;
    std::vector<std::string> names;
    for (const Value& one : graph().values) {
      if (one.has_shape && one.producer >= 0) names.push_back(printable(one.name));
    }
    throw Error(
        ErrorKind::config,
        fmt::format("{}: model.{} names '{}', and no node is called so{}; nearfar export-check {} --nodes lists them",
                    file_, key, name, suggestion(name, names), file_));
  }

  /// Is there one row for each image?
  bool per_image(const Value& value) const {
    return value.shape[0].size == batch_.size && value.shape[0].symbol == batch_.symbol;
  }

  void require_shape(ValueId id, std::size_t dimensions, const char* key, const char* expected) const {
    const Value& is = value(id);
    bool fits = is.shape.size() == dimensions && exported::dtype_name(is.dtype) == "Float";
    // The batch comes first, and the width of a feature is known.
    fits = fits && per_image(is);
    if (fits && dimensions == 2) fits = is.shape[1].size > 0;
    if (!fits)
      throw Error(ErrorKind::config, fmt::format("{}: model.{} names '{}', which is {}; expected Float {}", file_, key,
                                                 printable(is.name), exported::shape_text(is), expected));
  }

  Parts cut(const exported::Head& head) const {
    Parts parts{.batch = batch_.size, .most = batch_.size > 0 ? batch_.size : std::max<std::int64_t>(1, batch_.most)};
    parts.feature = head.feature;
    if (!options_.feature_node.empty()) {
      parts.feature = named(options_.feature_node, "feature_node");
      require_shape(parts.feature, 2, "feature_node", "[N,D]");
    }
    const ValueId end = parts.feature == kNoValue ? graph().output : parts.feature;
    parts.features = program_->slice(graph().input, {end});
    if (parts.feature != kNoValue) parts.output = program_->slice(parts.feature, {graph().output});
    std::vector<ValueId> seen{end};
    for (const std::string& name : options_.map_nodes) {
      const ValueId map = named(name, "map_nodes");
      require_shape(map, 4, "map_nodes", "[N,c,h,w]");
      parts.maps.push_back(map);
      parts.to_map.push_back(program_->slice(graph().input, {map}));
      parts.from_map.push_back(program_->slice(map, {end}));
      if (std::find(seen.begin(), seen.end(), map) == seen.end()) seen.push_back(map);
    }
    check_order(parts);
    for (const std::int32_t index : parts.features.nodes) {
      const exported::Node& node = graph().nodes[static_cast<std::size_t>(index)];
      const std::string_view name = exported::aten_name(node.target);
      if (!parts.maps.empty() && std::binary_search(kLayers.begin(), kLayers.end(), name))
        parts.layers.push_back(node.results[0].values[0]);
    }
    seen.insert(seen.end(), parts.layers.begin(), parts.layers.end());
    parts.seen = program_->slice(graph().input, std::move(seen));
    return parts;
  }

  /// Each map is made from the one before it.
  void check_order(const Parts& parts) const {
    for (std::size_t i = 1; i < parts.maps.size(); ++i) {
      const auto before = value(parts.maps[i - 1]).producer, after = value(parts.maps[i]).producer;
      if (before < after) continue;
      throw Error(ErrorKind::config,
                  fmt::format("{}: model.map_nodes names '{}' before '{}'; name them in the order in which the network "
                              "makes them, each once",
                              file_, printable(value(parts.maps[i - 1]).name), printable(value(parts.maps[i]).name)));
    }
  }

  std::string file_;
  const ExportOptions& options_;
  std::shared_ptr<Program> program_;
  NetworkSpec spec_;
  exported::Dimension batch_;
};

}  // namespace

std::unique_ptr<ExportedNetwork> open_exported(const std::filesystem::path& file, const ExportOptions& options) {
  return Opener(file, options).open();
}

}  // namespace nearfar
