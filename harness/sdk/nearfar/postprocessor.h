#pragma once
/// A postprocessor turns a model's outputs into one score per image: higher = more out-of-distribution.
#include <nearfar/features.h>
#include <nearfar/network_batch.h>
#include <nearfar/params.h>

namespace nearfar {

class NEARFAR_EXPORT Postprocessor {
 public:
  Postprocessor() = default;
  Postprocessor(const Postprocessor&) = delete;
  Postprocessor& operator=(const Postprocessor&) = delete;
  virtual ~Postprocessor() = default;

  /// Called once before score(), with what `needs` asked for. May keep the tensors it is given: they stay as they are
  /// (and may be mapped files larger than memory: read them by blocks). Throws Error for what a person can fix.
  virtual void fit(const FitContext& /*context*/) {}

  /// [N] float32 for a batch of N >= 0 rows; float64 from a method whose scores crowd where float32 would tie them
  /// (probabilities next to 1). Const, safe to call from several threads, row by row: the same image gets the same
  /// score (within rounding) in any batch. Finite for finite input. The runner has gradients off.
  virtual at::Tensor score(const FeatureBatch& batch) const = 0;

  /// With kMapStatistics or kInputGradients: what to keep of each image while it is inside the network. [B,K] float32,
  /// K the same for every batch, row by row. The runner keeps the columns beside the features and gives them back as
  /// FeatureBatch::observed, for the train and validation images that `needs` asks for (then in fit()) and for all that
  /// are scored. Called before fit(): it depends on the image, the network and the parameters in
  /// PluginText::observed_params. Gradients are off: NetworkBatch has its own.
  virtual at::Tensor observe(NetworkBatch& /*batch*/) const {
    throw Error(ErrorKind::plugin, "the plugin declares map-statistics or input-gradients but has no observe()");
  }
  /// With PluginText::observes_fitted: called after fit() in place of observe() for images that are scored; K may be
  /// another one.
  virtual at::Tensor observe_fitted(NetworkBatch& batch) const { return observe(batch); }
};

}  // namespace nearfar
