#pragma once
/// Exact squared distance to the k-th nearest of a bank of normalised rows, without ever holding the query x bank
/// matrix or a normalised copy of the bank: the bank may be a mapped file larger than memory. float32 products. Const
/// functions are safe from any thread.
#include "largest_k.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

namespace nearfar::common {

/// For each row of x its length in float64, at least 1e-12 (a row of zeros is not divided by zero).
inline at::Tensor row_lengths(const at::Tensor& rows) { return rows.norm(2, {1}, true, at::kDouble).clamp_min_(1e-12); }

/// u = x / |x| + 1e-10, as the reference writes it (the addition last).
inline at::Tensor unit_rows(const at::Tensor& rows) {
  return rows.div(row_lengths(rows)).toType(at::kFloat).add_(1e-10);
}

/// The bank as it was given, and what normalising its rows would do to a product: |q - u|^2 = |q|^2 - (2 q.x / |x| -
/// |u|^2). The 1e-10 of the reference's normaliser moves a product by less than its rounding; it is added to the
/// queries only.
class UnitBank {
 public:
  UnitBank() = default;
  /// `rows` [M,D] float32 are kept, not copied, and read once, in order.
  explicit UnitBank(const at::Tensor& rows)
      : rows_(rows), scales_(rows.new_empty({rows.size(0)})), norms_(rows.new_empty({rows.size(0)})) {
    double longest = 0;
    for (std::int64_t first = 0; first < size(); first += kReadRows) {
      const std::int64_t count = std::min(kReadRows, size() - first);
      const at::Tensor lengths = rows.narrow(0, first, count).norm(2, {1}, false, at::kDouble),
                       divisors = lengths.clamp_min(1e-12);
      scales_.narrow(0, first, count).copy_(divisors.reciprocal().mul_(2));
      norms_.narrow(0, first, count).copy_(lengths.div(divisors).square_());
      longest = std::max(longest, lengths.max().item<double>());
    }
    if (longest > 1e37) *this = UnitBank(rows.mul(1e-12));  // products could overflow; only here a copy is made
  }

  std::int64_t size() const { return rows_.size(0); }

  /// Squared L2 distance of each normalised row of `queries` [N,D] to its k-th nearest, 1 <= k <= M: [N]. Clipped at 0;
  /// absolute rounding about 1e-6.
  at::Tensor kth_squared_distance(const at::Tensor& queries, std::int64_t k) const {
    const std::int64_t total = queries.size(0), block = std::max<std::int64_t>(1, kStateFloats / LargestK::capacity(k));
    at::Tensor distances = queries.new_empty({total});
    for (std::int64_t first = 0; first < total; first += block) {
      const std::int64_t count = std::min(block, total - first);
      const at::Tensor units = unit_rows(queries.narrow(0, first, count));
      const at::Tensor nearest = units.is_cpu() ? kth_on_cpu(units, k) : kth_on_device(units, k);
      distances.narrow(0, first, count).copy_(units.square().sum(1).sub_(nearest).clamp_min_(0));
    }
    return distances;
  }

  /// [n] of the k-th largest 2 q.x / |x| - |u|^2. Each thread takes some queries and goes through the bank by tiles; of
  /// a tile's products only those survive that beat the query's k-th best so far. Threads meet after 64 MiB of the
  /// bank, so that a bank larger than memory is read once and not once a thread.
  at::Tensor kth_on_cpu(const at::Tensor& units, std::int64_t k) const {
    const std::int64_t total = units.size(0), width = units.size(1), threads = at::get_num_threads();
    const std::int64_t per_tile = std::clamp<std::int64_t>((total + threads - 1) / threads, 1, kQueryTile);
    const std::int64_t tiles = (total + per_tile - 1) / per_tile;
    const std::int64_t stretch = std::max<std::int64_t>(1, kStretchFloats / (width * kBankTile)) * kBankTile;
    std::vector<LargestK> best(static_cast<std::size_t>(total), LargestK(k));
    for (std::int64_t from = 0; from < size(); from += stretch) {
      const std::int64_t until = std::min(from + stretch, size());
      at::parallel_for(0, tiles, 1, [&](std::int64_t first, std::int64_t last) {
        at::Tensor buffer = units.new_empty({per_tile * kBankTile});
        for (std::int64_t b = from; b < until; b += kBankTile) {
          const std::int64_t columns = std::min(kBankTile, until - b);
          for (std::int64_t q = first * per_tile; q < std::min(last * per_tile, total); q += per_tile) {
            const std::int64_t rows = std::min(per_tile, total - q);
            at::Tensor products = buffer.narrow(0, 0, rows * columns).view({rows, columns});
            at::mm_out(products, units.narrow(0, q, rows), rows_.narrow(0, b, columns).t());
            const float* dots = products.const_data_ptr<float>();
            const float *scales = scales_.const_data_ptr<float>() + b, *norms = norms_.const_data_ptr<float>() + b;
            for (std::int64_t i = 0; i < rows; ++i)
              best[static_cast<std::size_t>(q + i)].push(dots + i * columns, scales, norms, columns);
          }
        }
      });
    }
    at::Tensor nearest = units.new_empty({total});
    for (std::int64_t i = 0; i < total; ++i) nearest.data_ptr<float>()[i] = best[static_cast<std::size_t>(i)].kth();
    return nearest;
  }

  /// The same by tensor operations of any device: the best k so far beside a tile's products, k of them kept.
  at::Tensor kth_on_device(const at::Tensor& units, std::int64_t k) const {
    const std::int64_t tile = std::max(kDeviceTile, 4 * k);
    at::Tensor best;
    for (std::int64_t b = 0; b < size(); b += tile) {
      const std::int64_t columns = std::min(tile, size() - b);
      at::Tensor values = at::mm(units, rows_.narrow(0, b, columns).t())
                              .mul_(scales_.narrow(0, b, columns))
                              .sub_(norms_.narrow(0, b, columns));
      if (best.defined()) values = at::cat({best, values}, 1);
      best = std::get<0>(values.topk(std::min(k, values.size(1)), 1, true, false));
    }
    return best.amin(1);
  }

 private:
  static constexpr std::int64_t kReadRows = 4096;
  static constexpr std::int64_t kBankTile = 2048, kQueryTile = 512;  // 4 MiB of products a thread
  static constexpr std::int64_t kDeviceTile = 16384;                 // bank rows
  static constexpr std::int64_t kStretchFloats = std::int64_t{1}
                                                 << 24;  // of the bank, between two meetings of the threads
  static constexpr std::int64_t kStateFloats = std::int64_t{1} << 25;  // of the k-best lists of the queries in hand

  at::Tensor rows_;    // [M,D] float32
  at::Tensor scales_;  // [M] float32: 2 / |x|
  at::Tensor norms_;   // [M] float32: |u|^2, 1 but for rows of (almost) zeros
};

}  // namespace nearfar::common
