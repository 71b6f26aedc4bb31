#include "train/schedule.h"

#include "base/error.h"

#include <cmath>
#include <numbers>

namespace nearfar {
namespace {

/// The schedule without its warm-up: `done` (0 to 1) of its steps are done, and it is epoch `epoch`.
double scheduled(double done, std::int64_t epoch, const TrainRecipe& recipe) {
  const double peak = recipe.learning_rate, end = recipe.final_lr + recipe.final_fraction * peak;
  const auto cosine = [&](double t) { return end + (peak - end) * (1 + std::cos(std::numbers::pi * t)) / 2; };
  if (recipe.schedule == "cosine") return cosine(done);
  if (recipe.schedule == "cosine-epoch") return cosine(static_cast<double>(epoch) / static_cast<double>(recipe.epochs));
  if (recipe.schedule == "linear") return peak + (end - peak) * done;
  if (recipe.schedule == "constant") return peak;
  NEARFAR_ASSERT(recipe.schedule == "multi-step");
  double rate = peak;
  for (const std::int64_t milestone : milestones(recipe)) rate *= milestone <= epoch ? recipe.gamma : 1;
  return rate;
}

}  // namespace

double learning_rate(std::int64_t step, std::int64_t steps_per_epoch, const TrainRecipe& recipe) {
  const std::int64_t epoch = step / steps_per_epoch;
  NEARFAR_ASSERT(0 <= step && epoch < recipe.epochs);
  const auto at = static_cast<double>(step), steps = static_cast<double>(steps_per_epoch);
  const double total = steps * static_cast<double>(recipe.epochs);
  if (recipe.warmup == "linear") {
    const double warmup = std::ceil(recipe.warmup_fraction * total);
    if (at < warmup) return recipe.learning_rate * (at + 1) / (warmup + 1);
    return scheduled((at - warmup) / (total - warmup), epoch, recipe);
  }
  const bool openood = recipe.warmup == "openood";
  NEARFAR_ASSERT(openood || recipe.warmup == "epochs");
  const std::int64_t last = recipe.warmup_epochs;
  if (openood ? epoch > last : epoch >= last) return scheduled(at / total, epoch, recipe);
  const double goal = scheduled(static_cast<double>(last) / static_cast<double>(recipe.epochs), last, recipe);
  const double done = (at + 1 - (openood ? steps : 0)) / (static_cast<double>(last) * steps);
  return recipe.warmup_lr + done * (goal - recipe.warmup_lr);
}

}  // namespace nearfar
