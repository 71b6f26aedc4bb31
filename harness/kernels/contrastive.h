#pragma once
/// Losses of pairs with their gradients, without an N x N matrix in memory. Operators of LibTorch's dispatcher,
/// nearfar::supervised_contrastive and nearfar::reweighted_pairs: plugins reach them through nearfar/contrastive.h,
/// which has their contract. The device of the rows chooses the code:
///   CPU     square tiles of the upper triangle, each pair once, on all threads, any finite rows (pair_tiles.h). The
///           same bytes for any number of threads.
///   CUDA    tensor operators: square tiles where products of rows are known to be small, as those of unit rows are;
///           else blocks of rows, with a largest value subtracted. No wait, so a step can be recorded as a graph.
/// The tests' fake device has no kernels of its own and takes the CPU's. Value and gradient are made together and the
/// backward pass only scales. Any thread.
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace nearfar {

/// Registers the operators: a linker leaves out what nobody calls. Whoever loads plugins calls it; again is nothing.
void register_contrastive();

namespace contrastive {

struct LossAndGradient {
  at::Tensor value;     ///< []
  at::Tensor gradient;  ///< [N,E], of the value; from the CPU's kernels [0] where it was not asked for
};

struct Supervision {
  double temperature, base_temperature;
};
struct Reweighting {
  double tau, m_b, c_b, m_w, c_w;
};

/// On the CPU; the value is z's type. Not finite where a row is not, or a product overflows its type.
LossAndGradient supervised_on_cpu(const at::Tensor& z, const at::Tensor& labels, const Supervision& by,
                                  bool with_gradient);
LossAndGradient reweighted_on_cpu(const at::Tensor& z, const at::Tensor& labels, const Reweighting& by,
                                  bool with_gradient);

/// By square tiles, any device; the value is float64. z contiguous. |z_i . z_j| / temperature stays where exp of it is
/// no infinity and no zero; 0 <= label < classes.
LossAndGradient supervised_by_tiles(const at::Tensor& z, const at::Tensor& labels, std::int64_t classes,
                                    const Supervision& by);
LossAndGradient reweighted_by_tiles(const at::Tensor& z, const at::Tensor& labels, const Reweighting& by);

/// By blocks of rows, any device, any finite rows; the value is float64.
LossAndGradient supervised_by_rows(const at::Tensor& z, const at::Tensor& labels, const Supervision& by);
LossAndGradient reweighted_by_rows(const at::Tensor& z, const at::Tensor& labels, const Reweighting& by);

}  // namespace contrastive
}  // namespace nearfar
