#pragma once
/// What a postprocessor is given: the outputs of a model for some images, and the model's linear head.
/// All tensors are read, never modified; score() keeps none, fit() may keep what it is given.
/// N rows, C classes, D width of the backbone feature. float32 contiguous, on the device the runner chose; labels are
/// int64. A tensor that the plugin's `needs` did not ask for may be undefined.
#include <nearfar/plugin_text.h>

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace nearfar {

struct FeatureBatch {
  at::Tensor features;    ///< [N,D] raw pooled backbone feature
  at::Tensor normalized;  ///< [N,D] features / max(|features|, 1e-12)
  at::Tensor logits;      ///< [N,C]
  at::Tensor labels;      ///< [N] int64; undefined when scoring
  at::Tensor observed{};  ///< [N,K] what this postprocessor's observe() kept of each image
};

struct HeadWeights {
  at::Tensor weight;  ///< [C,D]
  at::Tensor bias;    ///< [C]
};

struct FitContext {
  FeatureBatch train;  ///< ID train images under the test transform, list order, with labels
  FeatureBatch val;    ///< ID validation images, with labels
  HeadWeights head;
  std::int64_t classes = 0;
};

}  // namespace nearfar
