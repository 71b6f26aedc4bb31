#pragma once
/// A loss trains a network: it says what kind of head and how many views it wants, and maps a batch to a scalar.
#include <nearfar/features.h>
#include <nearfar/params.h>

#include <string>
#include <vector>

namespace nearfar {

/// What the trainer builds for the loss.
enum class HeadKind : std::uint32_t {
  linear = 0,     ///< D -> C logits; the model has a classifier
  embedding = 1,  ///< a projection (linear or mlp, the recipe's choice); the model has no logits
};

struct LossTraits {
  int views = 1;                      ///< augmented views of each image in a batch: 1 or 2
  HeadKind head = HeadKind::linear;   ///< what `output` below is
  bool normalized_embedding = false;  ///< the embedding's rows are L2-normalised before the loss sees them
};

/// Rows are grouped by view: the first view of all B images, then the second. N = views * B.
struct LossInput {
  at::Tensor output;  ///< [N,C] logits, or [N,E] embedding (unit rows where the traits ask)
  at::Tensor labels;  ///< [N] int64, repeated for each view
  std::int64_t epoch = 0;
  std::int64_t step = 0;
};

/// A tensor that belongs to the loss: a parameter (trained with the network's) or a buffer (state: prototypes, queues).
/// Saved in checkpoints.
struct LossTensor {
  std::string name;
  at::Tensor tensor;
  bool parameter = false;
};

class NEARFAR_EXPORT Loss {
 public:
  Loss() = default;
  Loss(const Loss&) = delete;
  Loss& operator=(const Loss&) = delete;
  virtual ~Loss() = default;

  virtual LossTraits traits() const = 0;

  /// Called once before training with the number of classes and the width of `output`.
  virtual void prepare(std::int64_t /*classes*/, std::int64_t /*width*/) {}

  /// The differentiable scalar to minimise: finite for finite input, also where a class has a single image in the
  /// batch.
  virtual at::Tensor forward(const LossInput& input) = 0;

  /// Everything a bit-exact resume needs, by reference: the trainer saves it and copies saved values back into the same
  /// tensors.
  virtual std::vector<LossTensor> state() { return {}; }
};

}  // namespace nearfar
