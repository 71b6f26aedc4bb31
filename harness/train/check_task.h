#pragma once
/// What can be known to be wrong with a training before it begins.
#include "train/trainer.h"

namespace nearfar {

/// Error(config) for a recipe that cannot work, with these images, this loss or so many processes, and for a loss that
/// wants auxiliary images; Error(data) for images or labels.
void check_task(const TrainingTask& task);

/// 1 for a training of one process.
int ranks_of(const TrainingTask& task);

}  // namespace nearfar
