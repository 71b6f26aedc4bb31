#pragma once
/// A batch of images inside the network: what a postprocessor sees that looks further than features and logits
/// (Postprocessor::observe). The runner made one clean forward pass, shared by all methods. B images; float32 (but see
/// in_float64()), on the network's device; evaluation mode. Borrowed for the call; not thread-safe. Tensors are read,
/// never modified.
#include <nearfar/abi.h>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace nearfar {

class NEARFAR_EXPORT NetworkBatch {
 public:
  NetworkBatch() = default;
  NetworkBatch(const NetworkBatch&) = delete;
  NetworkBatch& operator=(const NetworkBatch&) = delete;
  virtual ~NetworkBatch() = default;

  /// [B,channels,height,width], normalised: (pixel / 255 - mean) / std.
  virtual const at::Tensor& images() const = 0;
  /// std of the normalisation, one for each channel: a step of 1/255 in pixels is 1/(255 std) here.
  virtual const std::vector<double>& pixel_std() const = 0;
  virtual const at::Tensor& features() const = 0;  ///< [B,D] of the clean images
  virtual const at::Tensor& logits() const = 0;    ///< [B,C]; undefined without a linear head

  // With kMapStatistics (a network without maps makes no cell for such a method).
  /// Stages of the backbone: 0 is the stem's output after its activation, then one for each residual stage; the last is
  /// what is pooled.
  virtual std::int64_t stages() const = 0;
  /// [B,c,h,w] of the clean images.
  virtual const at::Tensor& map(std::int64_t stage) const = 0;
  /// Outputs of every convolution, and of every activation that is a layer of its own in the network's definition
  /// (torchvision's ResNets; OpenOOD's have none), in the order of execution.
  virtual const std::vector<at::Tensor>& layers() const = 0;

  struct Outputs {
    at::Tensor features;  ///< [B,D]
    at::Tensor logits;    ///< [B,C]
  };
  /// Another forward pass, of images of the same shape. Asked twice for equal images, it runs once.
  virtual Outputs forward(const at::Tensor& images) = 0;
  /// The map of a stage for other images: the network runs up to there.
  virtual at::Tensor forward_to(std::int64_t stage, const at::Tensor& images) = 0;
  /// From a changed map of a stage to the end.
  virtual Outputs forward_from(std::int64_t stage, const at::Tensor& map) = 0;

  // With kInputGradients.
  /// [B,channels,height,width]: for each image the gradient of sum_c direction[c] logits[c] with respect to it.
  /// `direction` [B,C] is the gradient of whatever scalar is wanted, by the logits. Asked twice for an equal direction,
  /// it runs once.
  virtual at::Tensor logit_gradient(const at::Tensor& direction) = 0;
  /// The same for a stage's map (needs kMapStatistics too); `direction` [B,c,h,w].
  virtual at::Tensor map_gradient(std::int64_t stage, const at::Tensor& direction) = 0;

  /// The same images inside a float64 copy of the network: every tensor of that batch is float64, and so is what it is
  /// asked with. For a method whose score jumps where the last place of float32 decides. It passes when first asked
  /// for, once for all that ask, and costs several float32 passes. Lives as long as this batch; of itself it gives
  /// itself.
  virtual NetworkBatch& in_float64() = 0;
};

}  // namespace nearfar
