#pragma once
/// The views of one training image: draws, crop or shift, flip, colour. One a thread. Torch-free.
#include "data/augment_view.h"
#include "data/train_images.h"
#include "kernels/augment_recipe.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace nearfar {

/// Error(config) for a recipe that is none: the rules of nearfar::augment.
void check_recipe(const AugmentRecipe& recipe);

class ViewMaker {
 public:
  /// `images` outlives it. `reduced`: pixels/crop.h.
  ViewMaker(const TrainImages& images, const AugmentRecipe& recipe, std::uint64_t seed, bool reduced);

  /// All views of image `index`, [height, width, 3] at each of `outs`. True if the image is damaged; throws as
  /// TrainImageReader.
  bool make(std::int64_t index, std::int64_t epoch, std::span<std::uint8_t* const> outs);
  /// As TrainImageReader's.
  bool is_copy() const { return reader_->is_copy(); }
  bool was_read() const { return reader_->was_read(); }

 private:
  std::unique_ptr<TrainImageReader> reader_;
  AugmentJob job_;
  bool reduced_;
  ViewFinisher finisher_;
  std::vector<augmentation::Draw> draws_;
  std::vector<Crop> crops_;
};

}  // namespace nearfar
