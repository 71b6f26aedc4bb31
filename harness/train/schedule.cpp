#include "train/schedule.h"

#include "base/error.h"

#include <cmath>
#include <numbers>

namespace nearfar {

double learning_rate(std::int64_t step, std::int64_t total_steps, const TrainRecipe& recipe) {
  NEARFAR_ASSERT(0 <= step && step < total_steps);
  const auto at = static_cast<double>(step), total = static_cast<double>(total_steps);
  const double warmup = std::ceil(recipe.warmup_fraction * total);
  if (at < warmup) return recipe.learning_rate * (at + 1) / (warmup + 1);
  const double done = (at - warmup) / (total - warmup);
  return recipe.final_lr + (recipe.learning_rate - recipe.final_lr) * (1 + std::cos(std::numbers::pi * done)) / 2;
}

}  // namespace nearfar
