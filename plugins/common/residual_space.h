#pragma once
/// The directions in which features hardly vary, and how far a feature reaches into them: what ViM and Residual share.
/// Everything in float64: the eigenvalues of interest are 1e-6 of the largest and less, which float32 does not resolve.
#include <nearfar/error.h>
#include <nearfar/features.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_pinv.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <tuple>

namespace nearfar::common {

/// u = -pinv(W) b [D] float64: the point where all logits are 0, or as small as they get. Singular values of W that its
/// float32 numbers do not resolve (of a head whose rows depend on each other) count as 0; divided by, they would put u
/// anywhere.
inline at::Tensor head_origin(const HeadWeights& head) {
  return at::linalg_pinv(head.weight.toType(at::kDouble), std::numeric_limits<float>::epsilon())
      .mv(head.bias.toType(at::kDouble))
      .neg();
}

class ResidualSpace {
 public:
  ResidualSpace() = default;

  /// The complement of the `dim` main directions of rows - origin: mean of squares, no mean taken off. rows [N,D]
  /// float32, origin [D] float64, dim < D. Error(data) without a row.
  ResidualSpace(const at::Tensor& rows, const at::Tensor& origin, std::int64_t dim) : origin_(origin) {
    const std::int64_t total = rows.size(0), width = rows.size(1);
    if (total == 0) throw Error(ErrorKind::data, "there are no images to fit the residual space on");
    at::Tensor products = at::zeros({width, width}, origin.options());
    for (std::int64_t first = 0; first < total; first += kBlock) {
      const at::Tensor centred = shifted(rows, first);
      products.addmm_(centred.t(), centred);
    }
    const at::Tensor vectors = std::get<1>(at::linalg_eigh(products.div_(total)));  // ascending
    complement_ = dim < width - dim;                                                // the fewer columns
    basis_ = (complement_ ? vectors.narrow(1, width - dim, dim) : vectors.narrow(1, 0, width - dim)).contiguous();
  }

  /// Length of each row's part in the space, and of row - origin as a whole: [N] float64.
  struct Lengths {
    at::Tensor residual, whole;
  };
  Lengths lengths(const at::Tensor& rows) const {
    const std::int64_t total = rows.size(0);
    Lengths result{at::zeros({total}, origin_.options()), at::zeros({total}, origin_.options())};
    for (std::int64_t first = 0; first < total; first += kBlock) {
      const at::Tensor centred = shifted(rows, first), square = centred.square().sum(1),
                       inside = centred.mm(basis_).square().sum(1);
      // |x|^2 - |V^T x|^2 loses 1e-16 of |x|^2: the length is good to 1e-8 |x|, below what float32 features resolve.
      result.residual.narrow(0, first, square.size(0))
          .copy_((complement_ ? square.sub(inside).clamp_min_(0) : inside).sqrt());
      result.whole.narrow(0, first, square.size(0)).copy_(square.sqrt());
    }
    return result;
  }

 private:
  static constexpr std::int64_t kBlock = 2048;  // rows; 32 MiB of float64 at D = 2048

  at::Tensor shifted(const at::Tensor& rows, std::int64_t first) const {
    return rows.narrow(0, first, std::min(kBlock, rows.size(0) - first)).toType(at::kDouble).sub_(origin_);
  }

  at::Tensor origin_;  // [D] float64
  at::Tensor basis_;   // [D,K] float64: of the space, or of its complement
  bool complement_ = false;
};

}  // namespace nearfar::common
