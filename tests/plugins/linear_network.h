#pragma once
/// A network whose gradients are known: one stage (the image times `gain`), features = the map's pixels, logits = W
/// features. For methods that look inside; counts what they ask for.
#include "common.h"

#include <nearfar/network_batch.h>

namespace nearfar::testing {

class LinearNetwork final : public NetworkBatch {
 public:
  /// images [B,1,h,w]; weight [C,h*w].
  LinearNetwork(const at::Tensor& images, const at::Tensor& weight, double gain = 1, std::vector<double> std = {0.5})
      : images_(images), weight_(weight), gain_(gain), std_(std::move(std)) {
    maps_ = {images.mul(gain), images.mul(gain)};
    features_ = maps_[0].flatten(1);
    logits_ = features_.mm(weight.t());
  }

  const at::Tensor& images() const override { return images_; }
  const std::vector<double>& pixel_std() const override { return std_; }
  const at::Tensor& features() const override { return features_; }
  const at::Tensor& logits() const override { return logits_; }
  std::int64_t stages() const override { return static_cast<std::int64_t>(maps_.size()); }
  const at::Tensor& map(std::int64_t stage) const override { return maps_.at(static_cast<std::size_t>(stage)); }
  const std::vector<at::Tensor>& layers() const override { return maps_; }

  Outputs forward(const at::Tensor& images) override { return forward_from(0, forward_to(0, images)); }
  at::Tensor forward_to(std::int64_t, const at::Tensor& images) override {
    asked = images.clone();
    return images.mul(gain_);
  }
  Outputs forward_from(std::int64_t, const at::Tensor& map) override {
    const at::Tensor features = map.flatten(1);
    return {features, features.mm(weight_.t())};
  }
  at::Tensor logit_gradient(const at::Tensor& direction) override {
    return direction.mm(weight_).mul(gain_).view_as(images_);
  }
  at::Tensor map_gradient(std::int64_t, const at::Tensor& direction) override { return direction.mul(gain_); }

  NetworkBatch& in_float64() override { return exact != nullptr ? *exact : *this; }

  at::Tensor asked;                ///< the images of the last pass
  LinearNetwork* exact = nullptr;  ///< what in_float64() gives, if not this

 private:
  at::Tensor images_, weight_;
  double gain_;
  std::vector<double> std_;
  std::vector<at::Tensor> maps_;
  at::Tensor features_, logits_;
};

inline at::Tensor pixels(std::vector<float> values, std::int64_t count, std::int64_t height, std::int64_t width) {
  return matrix(std::move(values), count).view({count, 1, height, width});
}

/// Looked at, fitted (train and validation are the same images) and scored, as the runner does.
inline at::Tensor score_of(PostprocessorHandle& scorer, NetworkBatch& batch) {
  FeatureBatch rows = features(batch.features());
  rows.logits = batch.logits();
  rows.observed = scorer.observe(batch, scorer.observes_fitted());
  return scorer.score(rows);
}
inline void fit(PostprocessorHandle& scorer, NetworkBatch& train, const at::Tensor& its_labels, const HeadWeights& head,
                std::int64_t classes) {
  FitContext context;
  context.train = features(train.features(), its_labels);
  context.train.logits = train.logits();
  context.train.observed = scorer.observe(train, false);
  context.val = context.train;
  context.head = head;
  context.classes = classes;
  scorer.fit(context);
}

}  // namespace nearfar::testing
