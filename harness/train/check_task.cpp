#include "train/check_task.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

void check_recipe(const TrainRecipe& recipe, const ImageView& images) {
  if (const auto problem = recipe_problem(recipe))
    throw Error(ErrorKind::config, fmt::format("train: '{}' {}", problem->field, problem->message));
  if (recipe.shift >= std::min(images.height, images.width)) {
    throw Error(ErrorKind::config, fmt::format("train: 'shift' is {}, expected less than the images' {} x {}",
                                               recipe.shift, images.height, images.width));
  }
}

void check_labels(const char* set, const ImageView& images, std::int64_t classes) {
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    if (images.labels[i] < 0 || images.labels[i] >= classes) {
      throw Error(ErrorKind::data,
                  fmt::format("{} image {} has label {}, expected 0 to {}", set, i, images.labels[i], classes - 1));
    }
  }
}

}  // namespace

int ranks_of(const TrainingTask& task) { return task.group != nullptr ? task.group->size() : 1; }

void check_task(const TrainingTask& task) {
  if (!task.train_source.batches) check_images(task.train);
  check_labels("train", task.train, task.network.classes);
  if (task.val.count > 0) {
    if (!task.val_source.features) check_images(task.val);
    check_labels("validation", task.val, task.network.classes);
  }
  check_recipe(task.recipe, task.train);
  if (task.recipe.batch_size < 2 * ranks_of(task)) {
    throw Error(ErrorKind::config, fmt::format("train: 'batch_size' is {}, expected two images at least for each of {} "
                                               "processes",
                                               task.recipe.batch_size, ranks_of(task)));
  }
  NEARFAR_ASSERT(task.network.head == task.traits.head);
  if (task.traits.wants_auxiliary) {
    throw Error(ErrorKind::config,
                "train: the loss wants auxiliary images (outlier exposure); training with auxiliary "
                "images is not available in this version: choose another loss");
  }
  if (task.recipe.label_smoothing > 0 && !task.traits.takes_soft_targets) {
    throw Error(ErrorKind::config, "train: 'label_smoothing' is set, and this loss takes no soft targets: set it to 0");
  }
}

}  // namespace nearfar
