#pragma once
/// How well a network in training tells validation images from those of the set `ood_val`: one number an epoch, for a
/// curve. Cheap scores, not those of a board.
#include <nearfar/features.h>

#include <cstdint>
#include <optional>

namespace nearfar {

/// AUROC, a fraction. With logits: of the highest softmax probability. Without: of the cosine similarity to the nearest
/// class mean, where every second validation image of a class makes the mean and the others are scored (all of one
/// half otherwise know their own class). nullopt where a score is not finite, or a side has no image.
std::optional<double> ood_val_auroc(const FeatureBatch& val, const FeatureBatch& ood, std::int64_t classes);

}  // namespace nearfar
