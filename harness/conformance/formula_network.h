#pragma once
/// A network that formulas determine, for methods that look inside one: two stages of channels mixed pixel by pixel,
/// the mean over pixels, a linear head. All of it is linear, so its gradients are known. On the device of the images.
#include <nearfar/features.h>
#include <nearfar/network_batch.h>

#include <memory>
#include <vector>

namespace nearfar {

class FormulaNetwork final : public NetworkBatch {
 public:
  /// images [B,3,h,w] float32 or float64; the head [C,12] of the same device.
  FormulaNetwork(const at::Tensor& images, const HeadWeights& head);

  const at::Tensor& images() const override { return images_; }
  const std::vector<double>& pixel_std() const override { return pixel_std_; }
  const at::Tensor& features() const override { return clean_.features; }
  const at::Tensor& logits() const override { return clean_.logits; }
  std::int64_t stages() const override { return static_cast<std::int64_t>(maps_.size()); }
  const at::Tensor& map(std::int64_t stage) const override { return maps_.at(static_cast<std::size_t>(stage)); }
  const std::vector<at::Tensor>& layers() const override { return maps_; }
  Outputs forward(const at::Tensor& images) override;
  at::Tensor forward_to(std::int64_t stage, const at::Tensor& images) override;
  Outputs forward_from(std::int64_t stage, const at::Tensor& map) override;
  at::Tensor logit_gradient(const at::Tensor& direction) override;
  at::Tensor map_gradient(std::int64_t stage, const at::Tensor& direction) override;
  NetworkBatch& in_float64() override;

 private:
  at::Tensor images_;
  HeadWeights head_;
  std::vector<double> pixel_std_{0.25, 0.25, 0.25};
  std::vector<at::Tensor> mixes_;  ///< of each stage: [channels out, channels in]
  std::vector<at::Tensor> maps_;
  Outputs clean_;
  std::unique_ptr<FormulaNetwork> exact_;
};

}  // namespace nearfar
