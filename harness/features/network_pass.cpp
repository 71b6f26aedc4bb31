#include "features/network_pass.h"

#include "base/error.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <utility>

namespace nearfar {
namespace {

/// What was asked for and what came of it: methods often ask for the same (ODIN's and i-ODIN's gradient, AdaSCALE's
/// changed images). Comparing makes the host wait for a device; what it may save is a pass of the network.
template <class Result>
class Memory {
 public:
  const Result* find(std::int64_t stage, const at::Tensor& asked) const {
    for (const Entry& entry : entries_) {
      if (entry.stage == stage && entry.asked.equal(asked)) return &entry.result;
    }
    return nullptr;
  }
  const Result& add(std::int64_t stage, const at::Tensor& asked, Result result) {
    entries_.push_back({stage, asked.clone(), std::move(result)});
    return entries_.back().result;
  }

 private:
  struct Entry {
    std::int64_t stage;
    at::Tensor asked;
    Result result;
  };
  std::vector<Entry> entries_;
};

constexpr std::int64_t kLogitStage = -1;

}  // namespace

class NetworkPass::Batch final : public NetworkBatch {
 public:
  /// `network` is the pass's own or its float64 copy, of the images' dtype.
  Batch(NetworkPass& pass, Network& network, PassCounts& counts, const at::Tensor& images)
      : pass_(pass), network_(network), counts_(counts), images_(images) {
    const bool with_gradients = (pass.needs_ & kInputGradients) != 0;
    const c10::AutoGradMode gradients(with_gradients);
    if (with_gradients) leaf_ = images.detach().set_requires_grad(true);
    const at::Tensor& in = leaf_.defined() ? leaf_ : images_;
    graph_features_ = (pass.needs_ & kMapStatistics) != 0 ? network_.features_seen(in, seen_) : network_.features(in);
    if (network_.has_classifier()) graph_logits_ = network_.output(graph_features_);
    features_ = graph_features_.detach();
    if (graph_logits_.defined()) logits_ = graph_logits_.detach();
    for (const at::Tensor& map : seen_.stages) maps_.push_back(map.detach());
    for (at::Tensor& layer : seen_.layers) layer = layer.detach();
    counts_.forward += images.size(0);
  }

  const at::Tensor& images() const override { return images_; }
  const std::vector<double>& pixel_std() const override { return pass_.pixel_std_; }
  const at::Tensor& features() const override { return features_; }
  const at::Tensor& logits() const override { return logits_; }

  std::int64_t stages() const override { return static_cast<std::int64_t>(maps_.size()); }
  const at::Tensor& map(std::int64_t stage) const override {
    require(kMapStatistics, "a map");
    check_stage(stage);
    return maps_[static_cast<std::size_t>(stage)];
  }
  const std::vector<at::Tensor>& layers() const override {
    require(kMapStatistics, "layers");
    return seen_.layers;
  }

  Outputs forward(const at::Tensor& images) override {
    check_shape(images, images_, "images");
    if (const Outputs* known = forwards_.find(0, images)) return *known;
    counts_.changed += images.size(0);
    const c10::AutoGradMode none(false);
    const at::Tensor features = network_.features(images);
    return forwards_.add(0, images, {features, network_.has_classifier() ? network_.output(features) : at::Tensor()});
  }
  at::Tensor forward_to(std::int64_t stage, const at::Tensor& images) override {
    require(kMapStatistics, "a map");
    check_stage(stage);
    check_shape(images, images_, "images");
    counts_.changed += images.size(0);
    const c10::AutoGradMode none(false);
    return network_.map(images, stage);
  }
  Outputs forward_from(std::int64_t stage, const at::Tensor& map) override {
    check_shape(map, this->map(stage), "a map");
    counts_.changed += map.size(0);
    const c10::AutoGradMode none(false);
    const at::Tensor features = network_.features_from(map, stage);
    return {features, network_.has_classifier() ? network_.output(features) : at::Tensor()};
  }

  at::Tensor logit_gradient(const at::Tensor& direction) override {
    require(kInputGradients, "a gradient");
    if (!graph_logits_.defined())
      throw Error(ErrorKind::plugin, "asks for a gradient of logits of a network without a linear head");
    return gradient(kLogitStage, graph_logits_, direction);
  }
  at::Tensor map_gradient(std::int64_t stage, const at::Tensor& direction) override {
    require(kInputGradients, "a gradient");
    require(kMapStatistics, "a map");
    check_stage(stage);
    return gradient(stage, seen_.stages[static_cast<std::size_t>(stage)], direction);
  }

  NetworkBatch& in_float64() override {
    if (images_.scalar_type() == at::kDouble) return *this;
    if (!float64_)
      float64_ = std::make_unique<Batch>(pass_, pass_.in_float64(), pass_.float64_counts_, images_.to(at::kDouble));
    return *float64_;
  }

 private:
  void require(Need need, const char* what) const {
    if ((pass_.needs_ & need) == 0) {
      throw Error(ErrorKind::plugin, std::string("asks the network for ") + what + ", which its `needs` do not name (" +
                                         (need == kMapStatistics ? "map-statistics" : "input-gradients") + ")");
    }
  }
  void check_stage(std::int64_t stage) const {
    if (stage < 0 || stage >= stages()) {
      throw Error(ErrorKind::plugin, "asks for stage " + std::to_string(stage) + " of a network with stages 0 to " +
                                         std::to_string(stages() - 1));
    }
  }
  static void check_shape(const at::Tensor& given, const at::Tensor& like, const char* what) {
    if (!given.sizes().equals(like.sizes()))
      throw Error(ErrorKind::plugin, std::string("hands in ") + what + " of another shape");
    if (given.scalar_type() != like.scalar_type())
      throw Error(ErrorKind::plugin, std::string("hands in ") + what + " of another dtype");
  }

  at::Tensor gradient(std::int64_t stage, const at::Tensor& output, const at::Tensor& direction) {
    check_shape(direction, output, "a direction");
    if (const at::Tensor* known = gradients_.find(stage, direction)) return *known;
    counts_.gradients += direction.size(0);
    const c10::AutoGradMode with_gradients(true);
    leaf_.mutable_grad().reset();
    output.backward(direction, true, false, at::TensorList(&leaf_, 1));
    const at::Tensor result = leaf_.grad().detach();
    leaf_.mutable_grad().reset();
    return gradients_.add(stage, direction, result);
  }

  NetworkPass& pass_;
  Network& network_;
  PassCounts& counts_;
  at::Tensor images_, leaf_;  // the leaf shares the images' memory
  at::Tensor graph_features_, graph_logits_, features_, logits_;
  Activations seen_;  // stages with the graph, layers without
  std::vector<at::Tensor> maps_;
  Memory<Outputs> forwards_;
  Memory<at::Tensor> gradients_;
  std::unique_ptr<Batch> float64_;
};

NetworkPass::NetworkPass(Network& network, Needs needs, std::vector<double> pixel_std)
    : network_(network), needs_(needs), pixel_std_(std::move(pixel_std)), evaluation_(network) {
  for (const NamedTensor& named : network_.named_tensors()) {
    if (!named.tensor.requires_grad()) continue;
    parameters_.push_back(named.tensor);
    named.tensor.set_requires_grad(false);  // else a graph keeps what their gradients would need
  }
}

NetworkPass::~NetworkPass() {
  for (const at::Tensor& parameter : parameters_) parameter.set_requires_grad(true);
}

Network& NetworkPass::in_float64() {
  if (!float64_network_) float64_network_ = network_.in_float64();
  return *float64_network_;
}

PassCounts NetworkPass::counts() const {
  PassCounts all = counts_;
  all.float64 = float64_counts_.forward + float64_counts_.gradients + float64_counts_.changed;
  return all;
}

std::unique_ptr<NetworkBatch> NetworkPass::run(const at::Tensor& images) {
  return std::make_unique<Batch>(*this, network_, counts_, images);
}

}  // namespace nearfar
