#pragma once
/// Networks by name: a backbone that turns images into pooled features, and a head that is a linear classifier or a
/// projection. Not thread-safe: one thread owns a network. Adding an architecture: a builder in backbone.h and a row in
/// architectures.cpp's table.
#include "models/named_tensor.h"

#include <nearfar/features.h>
#include <nearfar/loss.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {

struct NetworkSpec {
  std::string architecture = "resnet8";
  std::int64_t in_channels = 1, height = 28, width = 28;
  std::int64_t classes =
      0;  ///< at least 1 with a linear head; 0 with an embedding head = unknown (weights made elsewhere)
  HeadKind head = HeadKind::linear;
  std::string projection =
      "mlp";  ///< of an embedding head: "linear" = Linear(D,E); "mlp" = Linear(D,D), ReLU, Linear(D,E)
  std::int64_t embedding_dim = 32;  ///< E, of an embedding head

  bool operator==(const NetworkSpec&) const = default;
};

/// What passes through a network besides its result: the map after each stage, and the output of every layer that hooks
/// would see.
struct Activations {
  std::vector<at::Tensor> stages;  ///< [N,c,h,w] each
  std::vector<at::Tensor> layers;  ///< as NetworkBatch::layers()
};

class Network {
 public:
  Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  virtual ~Network() = default;

  /// [N,in_channels,height,width] float32, normalised -> [N,D] float32: the raw pooled feature, never normalised. Any
  /// memory format.
  virtual at::Tensor features(const at::Tensor& images) = 0;
  /// features [N,D] -> [N,C] logits, or the raw [N,E] embedding (the caller normalises it where the loss asks).
  virtual at::Tensor output(const at::Tensor& features) = 0;

  /// Stages of the backbone: 0 is the stem with its activation and its pooling where it has them, then one for each
  /// stage of blocks; what follows the last block (a norm, an activation) belongs to the last. 0 = this architecture
  /// has no maps to show (transformers), and the three calls below are Error(config).
  virtual std::int64_t stages() const = 0;
  /// As features(), and what passed on the way.
  virtual at::Tensor features_seen(const at::Tensor& images, Activations& seen) = 0;
  /// images -> the map of a stage, 0 <= stage < stages().
  virtual at::Tensor map(const at::Tensor& images, std::int64_t stage) = 0;
  /// A map of a stage -> features.
  virtual at::Tensor features_from(const at::Tensor& map, std::int64_t stage) = 0;

  /// Parameters, then buffers, in a stable order, by reference: writing into a tensor changes the network.
  /// Names: "backbone.layer1.0.conv1.weight", "head.weight".
  virtual std::vector<NamedTensor> named_tensors() = 0;

  /// Training or evaluation mode (batch statistics or running ones). A new network is in training mode.
  virtual void train(bool on) = 0;
  virtual bool is_training() const = 0;
  virtual const NetworkSpec& spec() const = 0;
  virtual std::int64_t feature_dim() const = 0;  ///< D

  std::int64_t output_dim() const;  ///< C or E
  /// Where its tensors are, and images and features must be.
  virtual at::Device device() const = 0;
  bool has_classifier() const { return spec().head == HeadKind::linear; }
  /// Are the logits one linear layer of features()? Always so of the networks that are made by name.
  virtual bool has_head_weights() const { return has_classifier(); }
  /// weight [C,D], bias [C]: detached clones. Error(internal) unless has_head_weights().
  HeadWeights head();

  /// A copy with its values as they are now, in evaluation mode and float64 on the same device; its parameters want no
  /// gradients. It takes and gives float64. Error(config): a network made elsewhere that cannot be computed so.
  virtual std::unique_ptr<Network> in_float64();
};

/// Names that make_network knows: resnet8 · resnet18_32x32, resnet18_64x64 (OpenOOD's) · resnet18_224x224, resnet34,
/// resnet50, resnet101, densenet121, convnext_tiny, vit_b_16, swin_t (torchvision's) · wrn_40_2, wrn_28_10
/// (xternalz/WideResNet-pytorch's). Below "backbone." tensors have the names they have there; torchvision's `fc`,
/// `classifier`, `classifier.2`, `heads.head` and `head` are our "head".
std::vector<std::string> architectures();
/// Height and width of the images an architecture was made for: 28, 32, 64 or 224. Error(config): unknown name.
std::int64_t native_image_size(const std::string& architecture);

/// Network::stages() of an architecture: 0 = it has no maps to show. Error(config): unknown name.
std::int64_t architecture_stages(const std::string& architecture);

/// Weights are drawn from a generator of their own: they depend on `spec` and `seed` alone. resnet8, OpenOOD's nets and
/// projections have PyTorch's default distributions (kaiming_uniform with a = sqrt(5), so uniform within
/// 1/sqrt(fan_in), for weights and biases; batch norm 1 and 0), the others those of
/// their origin (He's normal by fan out for ResNets and WRNs, by fan in for DenseNets; Xavier, 0.02 normal and zeros
/// for transformers and ConvNeXt). Error(config): unknown architecture or
/// projection (with a suggestion), a dimension that is not positive or beyond 2^20, or images of a size that the
/// architecture does not take (vit_b_16: 224 only).
/// They are drawn on the CPU and copied, so that every device starts from the same.
std::unique_ptr<Network> make_network(const NetworkSpec& spec, std::uint64_t seed, at::Device device = at::kCPU);
/// The same without values: to be filled by load_tensors, which spares the draw.
std::unique_ptr<Network> make_empty_network(const NetworkSpec& spec, at::Device device = at::kCPU);
/// The same without memory (its tensors are on the device "meta"): names, shapes, feature_dim. It cannot run.
std::unique_ptr<Network> make_shape_network(const NetworkSpec& spec);

/// Error(data) as load_tensors, before any memory for `spec` is taken: a file's claims about sizes are checked against
/// what it holds.
void check_tensors(const NetworkSpec& spec, const std::vector<NamedTensor>& tensors, const std::string& source);

/// Copies values into a network. Error(data) listing missing and unexpected names and wrong shapes (the first 10 of
/// each and how many); `source` names the file.
void load_tensors(Network& network, const std::vector<NamedTensor>& tensors, const std::string& source);

/// Evaluation mode and no gradients while it lives; both are restored.
class EvalScope {
 public:
  explicit EvalScope(Network& network);
  ~EvalScope();
  EvalScope(const EvalScope&) = delete;
  EvalScope& operator=(const EvalScope&) = delete;

 private:
  Network& network_;
  bool was_training_;
  bool had_gradients_;
};

}  // namespace nearfar
