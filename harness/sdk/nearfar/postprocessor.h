#pragma once
/// A postprocessor turns a model's outputs into one score per image: higher = more out-of-distribution.
#include <nearfar/features.h>
#include <nearfar/params.h>

namespace nearfar {

class NEARFAR_EXPORT Postprocessor {
 public:
  Postprocessor() = default;
  Postprocessor(const Postprocessor&) = delete;
  Postprocessor& operator=(const Postprocessor&) = delete;
  virtual ~Postprocessor() = default;

  /// Called once before score(), with what `needs` asked for. May keep clones. Throws Error for what a person can fix.
  virtual void fit(const FitContext& /*context*/) {}

  /// [N] float32 for a batch of N >= 0 rows. Const, safe to call from several threads, row by row: the same image gets the same score
  /// (within rounding) in any batch. Finite for finite input. The runner has gradients off.
  virtual at::Tensor score(const FeatureBatch& batch) const = 0;
};

}  // namespace nearfar
