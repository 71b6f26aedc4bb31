#pragma once
/// Exact distance to the k-th nearest bank row, without ever holding the query x bank matrix: one GEMM tile at a time, of which only the
/// entries that beat the row's running k-th best survive. CPU, float32. Pure; safe from any thread.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace nearfar::common {

/// The k largest of the values pushed, with a threshold that only rises.
class LargestK {
 public:
  explicit LargestK(std::int64_t k) : k_(static_cast<std::size_t>(k)), capacity_(4 * k_ + 64) { kept_.reserve(capacity_); }

  void clear() {
    kept_.clear();
    threshold_ = -std::numeric_limits<float>::infinity();
  }

  /// Of `count` tile entries: value_i = 2 dot_i - norm_i.
  void push_row(const float* dot, const float* norm, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = 2 * dot[i] - norm[i];
      if (value > threshold_ || kept_.size() < k_) push(value);
    }
  }

  /// The k-th largest so far; at least k values must have been pushed.
  float kth() {
    shrink();
    return threshold_;
  }

 private:
  void push(float value) {
    kept_.push_back(value);
    if (kept_.size() == capacity_) shrink();
  }

  void shrink() {
    const auto kth = kept_.begin() + static_cast<std::ptrdiff_t>(k_) - 1;
    std::nth_element(kept_.begin(), kth, kept_.end(), std::greater<>());
    kept_.resize(k_);
    threshold_ = kept_.back();
  }

  std::size_t k_, capacity_;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<float> kept_;
};

constexpr std::int64_t kQueryTile = 256;  // x kBankTile floats = 4 MiB a tile
constexpr std::int64_t kBankTile = 4096;

/// Squared L2 distance of each query [N,D] to its k-th nearest row of `bank` [M,D], 1 <= k <= M; `bank_norms` [M] are the rows' squared
/// norms. |q|^2 + |x|^2 - 2 q.x as FAISS computes it, clipped at 0: absolute rounding about 1e-6 for unit rows.
inline at::Tensor kth_squared_distance(const at::Tensor& queries, const at::Tensor& bank, const at::Tensor& bank_norms, std::int64_t k) {
  const std::int64_t rows = queries.size(0), bank_rows = bank.size(0);
  at::Tensor nearest = at::empty({rows}, queries.options());  // [N] largest 2 q.x - |x|^2 but k-1
  std::vector<LargestK> best(static_cast<std::size_t>(std::min(rows, kQueryTile)), LargestK(k));
  at::Tensor buffer = at::empty({kQueryTile * kBankTile}, queries.options());
  for (std::int64_t q = 0; q < rows; q += kQueryTile) {
    const std::int64_t queries_here = std::min(kQueryTile, rows - q);
    for (auto& row : best) row.clear();
    for (std::int64_t b = 0; b < bank_rows; b += kBankTile) {
      const std::int64_t bank_here = std::min(kBankTile, bank_rows - b);
      at::Tensor tile = buffer.narrow(0, 0, queries_here * bank_here).view({queries_here, bank_here});
      at::mm_out(tile, queries.narrow(0, q, queries_here), bank.narrow(0, b, bank_here).t());
      const float* dots = tile.const_data_ptr<float>();
      const float* norms = bank_norms.const_data_ptr<float>() + b;
      for (std::int64_t i = 0; i < queries_here; ++i) best[static_cast<std::size_t>(i)].push_row(dots + i * bank_here, norms, bank_here);
    }
    float* out = nearest.data_ptr<float>() + q;
    for (std::int64_t i = 0; i < queries_here; ++i) out[i] = best[static_cast<std::size_t>(i)].kth();
  }
  return queries.square().sum(1).sub_(nearest).clamp_min_(0);
}

}  // namespace nearfar::common
