#pragma once
/// How good a classifier is on labelled images of its classes, beyond its accuracy. Pure functions, double inside.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace nearfar {

struct Calibration {
  double nll = 0;  ///< mean of -log softmax(logits)[label], natural logarithm, from 0
  double ece = 0;  ///< expected calibration error, 0 … 1
};

/// Which of `bins` intervals (k/bins, (k+1)/bins] each probability lies in: confidence [N] float64 in 0 … 1 -> [N]
/// int64 in 0 … bins-1; 0 belongs to the first. The edges are the float64 numbers next to k/bins, compared with as they
/// are: confidence * bins is rounded, and on the wrong side of a whole number for some (0.07 * 100 > 7).
at::Tensor confidence_bins(const at::Tensor& confidence, std::int64_t bins);

/// logits [N,C], labels [N] int64 in 0 … C-1, N >= 1. ECE as Guo et al. 2017 (arXiv:1706.04599, eq. 3): images are
/// sorted into confidence_bins() by their largest softmax probability; sum over bins of their share times |accuracy -
/// mean probability|.
Calibration calibration(const at::Tensor& logits, const at::Tensor& labels, std::int64_t bins = 15);

struct ClassCount {
  std::int64_t images = 0, correct = 0;
};
/// predictions [N], labels [N] int64 in 0 … classes-1: one entry a class.
std::vector<ClassCount> count_classes(const at::Tensor& predictions, const at::Tensor& labels, std::int64_t classes);

}  // namespace nearfar
