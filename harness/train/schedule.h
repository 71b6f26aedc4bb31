#pragma once
/// The learning rate as a pure function of the step. Torch-free, any thread.
#include "config/recipe.h"

#include <cstdint>

namespace nearfar {

/// Rate of optimiser step `step` (from 0) of `total_steps`. With w = ceil(warmup_fraction * total_steps) warm-up steps:
///   step <  w: learning_rate * (step + 1) / (w + 1)                                        linear, never 0, reaches
///   the peak at step w step >= w: final_lr + (learning_rate - final_lr) * (1 + cos(pi * (step - w) / (total_steps -
///   w))) / 2
/// Error(internal) unless 0 <= step < total_steps.
double learning_rate(std::int64_t step, std::int64_t total_steps, const TrainRecipe& recipe);

}  // namespace nearfar
