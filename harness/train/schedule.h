#pragma once
/// The learning rate as a pure function of the step. Torch-free, any thread.
#include "config/recipe.h"

#include <cstdint>

namespace nearfar {

/// Rate of optimiser step `step` (from 0) in a training of recipe.epochs = E epochs of S = `steps_per_epoch` steps.
/// With `lr` the peak, `end` = final_lr + final_fraction * lr, and T = E * S steps:
///
/// `warmup = "linear"`: w = ceil(warmup_fraction * T) steps of lr * (step + 1) / (w + 1), never 0; then the schedule
/// over what is left, t = (step - w) / (T - w) from 0 to 1. `warmup = "epochs"`: in the first W = warmup_epochs epochs
/// the rate goes from warmup_lr to the schedule's value at the beginning of epoch W, linearly by step: p = (s + e S) /
/// (W S) of the way, where s = 1 … S is the step within epoch e = 0, 1, …; then the schedule, t = step / T. `warmup =
/// "openood"`: as "epochs", with p = (s + (e - 1) S) / (W S) while e <= W: in the first epoch p < 0 and the rate may be
/// negative. OpenOOD's trainers of contrastive losses do so (its epochs count from 0 where the formula means 1), and
/// their published numbers come from it.
///
/// The schedules, at t:
///   cosine        end + (lr - end) (1 + cos(pi t)) / 2
///   cosine-epoch  the same at the beginning of the epoch: t = e / E
///   linear        lr + (end - lr) t
///   multi-step    lr * gamma^(number of milestones m, in epochs, with m <= e)
///   constant      lr
/// In cosine-epoch and multi-step, `epoch` counts from the training's start, whatever the warm-up.
/// Error(internal) unless 0 <= step < T.
double learning_rate(std::int64_t step, std::int64_t steps_per_epoch, const TrainRecipe& recipe);

}  // namespace nearfar
