#pragma once
/// A loss under check: prepared, started, and given batches from the same state each time. One thread.
#include "conformance/subject.h"

#include <string>
#include <vector>

namespace nearfar {

/// What the network gives for a batch: rows grouped by view, on the CPU, float32 or float64.
struct LossBatch {
  at::Tensor output;  ///< [N,C] logits, or [N,E] embedding (unit rows where the traits ask)
  at::Tensor labels;  ///< [N] int64
};

/// Both on the CPU in float64.
struct LossResult {
  double value = 0;
  at::Tensor gradient;  ///< by the output; zeros where nothing depends on it
};

class LossSubject {
 public:
  /// Prepares it for 4 classes and seed 3, and starts it at fixed class means.
  explicit LossSubject(const Subject& subject) : LossSubject(subject, ParamMap()) {}
  /// With these parameters in place of the given ones, or another number of classes.
  LossSubject(const Subject& subject, const ParamMap& others, std::int64_t classes = kProblemClasses);

  LossHandle& loss() { return loss_; }
  const LossTraits& traits() const { return loss_.traits(); }
  std::int64_t width() const;  ///< of the output
  bool keeps_state() const { return !start_.empty(); }

  LossBatch usual_batch() const;                                               ///< 12 images, 3 of each class
  LossBatch batch(const at::Tensor& image_labels, double phase = 0) const;     ///< rows a formula gives
  LossBatch batch_of(const at::Tensor& rows, const at::Tensor& labels) const;  ///< of those rows, of all views

  void restore();  ///< the state as it was after the start
  LossInput input(const LossBatch& batch, const at::Tensor& output) const;
  /// forward() and backward() from the state that there is.
  LossResult step(const LossBatch& batch, std::int64_t most_of_a_label = 0);
  /// The same from the state at the start.
  LossResult run(const LossBatch& batch, std::int64_t most_of_a_label = 0);
  /// run(), and fails unless value and gradient are finite. `where` says of which batch.
  LossResult expect_finite(const LossBatch& batch, const std::string& where);

 private:
  const Subject& subject_;
  LossHandle loss_;
  std::int64_t classes_;
  std::vector<at::Tensor> start_;
};

}  // namespace nearfar
