#pragma once
/// Losses over all pairs of a batch, computed by the host: fast on a CPU, without a matrix of all pairs in memory, and
/// by tensor operators alone, without a wait, on a device. A training step with them can be recorded as a graph
/// (LossTraits::capturable). Any thread.
///
/// z       [N,E] float32 or float64, any finite rows (losses of this kind usually want unit rows)
/// labels  [N] int64, any numbers
/// largest a promise for devices: no |z_i . z_j| is above it (1 for unit rows). 0 = not known: they take the slower
/// way,
///         which is safe for any rows. On a CPU the rows are looked at
/// returns [] of z's dtype, part of the graph through z; NaN where z has a NaN. Gradients of gradients are refused.
/// c10::Error for other shapes, dtypes or devices; nearfar::Error where the program that loaded the plugin has none.
#include <nearfar/host_operator.h>

namespace nearfar {

/// Supervised contrastive loss, the "out" form: the mean over all rows i of
///   -(temperature / base_temperature) / |P(i)| * sum over p in P(i) of [ s_ip - log sum over a != i of exp s_ia ]
/// with s_ij = z_i . z_j / temperature and P(i) the other rows with i's label. A row without any counts 0; N < 2 gives
/// 0. Khosla et al. 2020, arXiv:2004.11362, eq. 2.
/// `classes`: a promise that 0 <= label < classes; 0 = not known, which is slower.
inline at::Tensor supervised_contrastive(const at::Tensor& z, const at::Tensor& labels, double temperature,
                                         double base_temperature, double largest = 0, std::int64_t classes = 0) {
  static const HostOperator<const at::Tensor&, const at::Tensor&, double, double, double, std::int64_t> operation(
      "nearfar::supervised_contrastive");
  return operation(z, labels, temperature, base_temperature, largest, classes);
}

/// ReweightOOD's loss over the pairs i < j, s = z_i . z_j: elu( log sum exp(-w+ s / tau) + log sum exp(w- s / tau) ),
/// the first over pairs of one class with w+ = sigmoid(c_w - m_w s), the second over the others with
/// w- = sigmoid(m_b s - c_b); no gradient flows through w+ and w-. -1 without a gradient where there are no pairs of
/// either kind. Regmi et al., CVPR Workshops 2024.
inline at::Tensor reweighted_pairs(const at::Tensor& z, const at::Tensor& labels, double tau, double m_b, double c_b,
                                   double m_w, double c_w, double largest = 0) {
  static const HostOperator<const at::Tensor&, const at::Tensor&, double, double, double, double, double, double>
      operation("nearfar::reweighted_pairs");
  return operation(z, labels, tau, m_b, c_b, m_w, c_w, largest);
}

}  // namespace nearfar
