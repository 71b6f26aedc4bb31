#pragma once
/// What checks fit and score on: images and features given by formulas, so that every machine has the same. 60 train
/// rows of 4 classes and width 12, each row classified as what it is. Pure functions; tensors are made anew, on the
/// CPU.
#include <nearfar/features.h>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace nearfar {

inline constexpr std::int64_t kProblemWidth = 12, kProblemClasses = 4, kProblemRows = 60;

/// f(i, j) in double, then float32: [rows, columns].
at::Tensor formula(std::int64_t rows, std::int64_t columns, const std::function<double(double, double)>& f);
at::Tensor unit_rows_of(const at::Tensor& rows);                    ///< by max(length, 1e-12)
at::Tensor class_labels(std::int64_t count, std::int64_t classes);  ///< i mod classes, int64
FeatureBatch part(const FeatureBatch& batch, std::int64_t first, std::int64_t count);
FeatureBatch map_tensors(const FeatureBatch& batch, const std::function<at::Tensor(const at::Tensor&)>& f);
std::vector<at::Tensor> tensors_of(const FeatureBatch& batch);  ///< those that are defined

/// Rows of features for methods that work on them, or pixels for those that look inside the network.
struct Images {
  at::Tensor features;  ///< [N,12]
  at::Tensor pixels;    ///< [N,3,6,6] for formula_network.h
};
/// Row i belongs to class i mod 4. Other phases give other rows of the same classes.
Images images_of_classes(std::int64_t count, double phase = 0);
Images images_of(const at::Tensor& features);  ///< without pixels
/// Far from every class: for a score to tell from images_of_classes().
Images images_of_none(std::int64_t count);

struct Problem {
  Images train;
  HeadWeights head;
  std::int64_t classes = kProblemClasses;
};
Problem usual_problem();
Problem problem_of(const Images& train, std::int64_t classes = kProblemClasses);
/// Features with what is derived from them: normalized rows, logits.
FeatureBatch with_logits(const at::Tensor& features, const HeadWeights& head);

}  // namespace nearfar
