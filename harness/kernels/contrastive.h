#pragma once
/// Losses of pairs with their gradients, without an N x N matrix in memory. Operators of LibTorch's dispatcher,
/// nearfar::supervised_contrastive and nearfar::reweighted_pairs: plugins reach them through nearfar/contrastive.h,
/// which has their contract. Where products of rows are known to be small, as those of unit rows are, each pair is
/// computed once, by square tiles; else by blocks of rows, with a largest value subtracted. Any thread; nothing here
/// waits for a device.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>

namespace nearfar {

/// Registers the operators: a linker leaves out what nobody calls. Whoever loads plugins calls it; again is nothing.
void register_contrastive();

namespace contrastive {

/// A loss [] float64 and its gradient with respect to z, as z.
using LossAndGradient = std::tuple<at::Tensor, at::Tensor>;

struct Reweighting {
  double tau, m_b, c_b, m_w, c_w;
};

/// By square tiles, any device. |z_i . z_j| / temperature stays where exp of it is no infinity and no zero;
/// 0 <= label < classes.
LossAndGradient supervised_by_tiles(const at::Tensor& z, const at::Tensor& labels, std::int64_t classes,
                                    double temperature, double base);
LossAndGradient reweighted_by_tiles(const at::Tensor& z, const at::Tensor& labels, const Reweighting& by);

/// By blocks of rows, any device, any finite rows.
LossAndGradient supervised_by_rows(const at::Tensor& z, const at::Tensor& labels, double temperature, double base);
LossAndGradient reweighted_by_rows(const at::Tensor& z, const at::Tensor& labels, const Reweighting& by);

}  // namespace contrastive
}  // namespace nearfar
