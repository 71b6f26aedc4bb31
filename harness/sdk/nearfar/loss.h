#pragma once
/// A loss trains a network: its traits say what kind of head, how many views and which inputs it wants, and it maps a
/// batch to a scalar. An author writes a class with two things besides a constructor from Params:
///   static LossTraits traits(const Params&);                  // NEARFAR_LOSS puts it into the descriptor
///   at::Tensor forward(const LossInput& input) override;
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

/// What a loss wants to be given, known from its parameters before there is an object: the host plans and builds by it,
/// and nothing is computed that is not wanted. Plain data.
struct LossTraits {
  int views = 1;                      ///< augmented views of each image in a batch: 1 or 2
  HeadKind head = HeadKind::linear;   ///< what `output` below is
  bool normalized_embedding = false;  ///< the embedding's rows are L2-normalised before the loss sees them
  bool wants_features = false;        ///< LossInput::features, and aux_features where there are auxiliary images
  bool takes_soft_targets = false;  ///< uses LossInput::soft_targets; without it a recipe that mixes labels is refused
  bool wants_auxiliary = false;     ///< a batch of images of no class beside each batch (outlier exposure)
  bool wants_class_means = false;   ///< start() is called
  /// 0, or T > 0: the linear head is trained on h / (|h| T) in place of the features h.
  double feature_temperature = 0;
  /// Of a head that was trained so: what is validated, kept as the best and scored has h / E in place of h, without a
  /// division by the length; its weight is the trained one divided by E. Not read where feature_temperature is 0.
  double evaluated_temperature = 1;
  /// forward() enqueues the same work for every batch of a size: it reads no value of a tensor (item, nonzero,
  /// masked_select, a copy to the host), and neither epoch nor step. On a GPU the whole step is then recorded once and
  /// replayed, several times as fast for small networks.
  bool capturable = false;
};

/// What is known before the first batch.
struct LossSetup {
  std::int64_t classes = 0;        ///< C
  std::int64_t output_width = 0;   ///< of LossInput::output: C or E
  std::int64_t feature_width = 0;  ///< D
  at::Device device = at::kCPU;    ///< where the tensors of LossInput lie; a loss makes its state there
  /// Of what prepare() draws: with a generator of its own on the CPU, so that every device starts from the same.
  std::uint64_t seed = 0;
};

/// Rows are grouped by view: the first view of all B images, then the second. N = views * B. Tensors that the traits do
/// not ask for, and those that a recipe does not make, are undefined.
struct LossInput {
  at::Tensor output;      ///< [N,C] logits, or [N,E] embedding (unit rows where the traits ask)
  at::Tensor labels;      ///< [N] int64, repeated for each view
  at::Tensor features{};  ///< [N,D] raw pooled backbone features, part of the graph
  at::Tensor
      soft_targets{};       ///< [N,C] rows that sum to 1 (mixed or smoothed labels); where defined, they are the target
  at::Tensor aux_output{};  ///< [M,C] or [M,E] of the auxiliary images, as `output`
  at::Tensor aux_features{};  ///< [M,D]
  std::int64_t epoch = 0;
  std::int64_t step = 0;
  /// No label is in more rows than this, which the host knows without asking the device; 0 = it does not know. It
  /// differs from batch to batch: a loss that reads it is not capturable.
  std::int64_t most_of_a_label = 0;
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

  /// Called once, before state() and forward().
  virtual void prepare(const LossSetup& /*setup*/) {}

  /// Where the traits ask for it: called once after prepare(), before the first step of a training; not where one goes
  /// on, since then state() has been restored. class_means: [C,W] float32 on the device, the mean over a class's
  /// validation images (train images where there are none, without augmentation) of what LossInput::output would be, in
  /// evaluation mode and without gradients; zeros for a class without an image.
  virtual void start(const at::Tensor& /*class_means*/) {}

  /// The differentiable scalar to minimise: finite for finite input, also where a class has a single image in the
  /// batch.
  virtual at::Tensor forward(const LossInput& input) = 0;

  /// Everything a bit-exact resume needs, by reference: the trainer saves it and copies saved values back into the same
  /// tensors.
  virtual std::vector<LossTensor> state() { return {}; }
};

}  // namespace nearfar
