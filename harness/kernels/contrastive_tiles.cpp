// Losses of pairs by square tiles, in tensor operators: each pair is computed once, one tile after the other, each by
// the whole device.
#include "kernels/contrastive.h"

#include <ATen/ops/elu.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace nearfar::contrastive {
namespace {

constexpr std::int64_t kSide = 2048;          // of a tile: few and large ones keep a GPU busy
constexpr std::int64_t kMostKeptRows = 4096;  // beyond, tiles are computed again for the gradient: memory stays small

/// A tile of pairs: rows first_row … of z with rows first_column …, on or above the diagonal.
struct Tile {
  std::int64_t row, column;  ///< in tiles
  bool diagonal() const { return row == column; }
};

class Tiles {
 public:
  explicit Tiles(const at::Tensor& z) : z_(z), count_((z.size(0) + kSide - 1) / kSide) {
    for (std::int64_t row = 0; row < count_; ++row) {
      for (std::int64_t column = row; column < count_; ++column) upper_.push_back({row, column});
    }
    if (z.size(0) <= kMostKeptRows) kept_.resize(upper_.size());
  }

  std::int64_t count() const { return count_; }
  std::int64_t upper_count() const { return static_cast<std::int64_t>(upper_.size()); }
  const Tile& upper(std::int64_t place) const { return upper_[static_cast<std::size_t>(place)]; }
  at::Tensor rows_of(const at::Tensor& of, std::int64_t tile) const {
    return of.narrow(0, tile * kSide, std::min(kSide, of.size(0) - tile * kSide));
  }
  at::Tensor similar(const Tile& tile) const { return rows_of(z_, tile.row).mm(rows_of(z_, tile.column).t()); }

  /// What the first pass made of a tile, for the second; `make` makes it again where it was not kept.
  void keep(std::int64_t place, const at::Tensor& made) {
    if (!kept_.empty()) kept_[static_cast<std::size_t>(place)] = made;
  }
  at::Tensor kept(const Tile& tile, const std::function<at::Tensor(const Tile&)>& make) const {
    if (kept_.empty()) return make(tile);
    return kept_[static_cast<std::size_t>(tile.row * count_ - tile.row * (tile.row - 1) / 2 + tile.column - tile.row)];
  }

  /// The (symmetric) coefficients times z.
  template <class Coefficients>
  at::Tensor times_rows(const Coefficients& coefficients) const {
    at::Tensor result = at::zeros_like(z_);
    for (std::int64_t own = 0; own < count_; ++own) {
      at::Tensor sum = rows_of(result, own);
      for (std::int64_t other = 0; other < count_; ++other) {
        const at::Tensor flow = coefficients(Tile{std::min(own, other), std::max(own, other)});
        sum.addmm_(own <= other ? flow : flow.t(), rows_of(z_, other));
      }
    }
    return result;
  }

 private:
  const at::Tensor& z_;
  std::int64_t count_;
  std::vector<Tile> upper_;
  std::vector<at::Tensor> kept_;  ///< by place in upper_; empty = none is kept
};

}  // namespace

/// The positives of a row need no pairs: their similarities add up to z_i . (sum of its class - z_i).
LossAndGradient supervised_by_tiles(const at::Tensor& z, const at::Tensor& labels, std::int64_t classes,
                                    const Supervision& by) {
  const auto [temperature, base] = by;
  const std::int64_t rows = z.size(0);
  Tiles tiles(z);
  const auto powers = [&](const Tile& tile) {
    at::Tensor made = tiles.similar(tile).div_(temperature).exp_();
    if (tile.diagonal()) made.diagonal().zero_();  // a row is no other of its own
    return made;
  };
  std::vector<std::pair<at::Tensor, at::Tensor>> parts(static_cast<std::size_t>(tiles.upper_count()));
  for (std::int64_t place = 0; place < tiles.upper_count(); ++place) {
    const Tile& tile = tiles.upper(place);
    const at::Tensor made = powers(tile);
    auto& part = parts[static_cast<std::size_t>(place)];
    part.first = made.sum(1).to(at::kDouble);
    if (!tile.diagonal()) part.second = made.sum(0).to(at::kDouble);
    tiles.keep(place, made);
  }
  const at::Tensor others = at::zeros({rows}, z.options().dtype(at::kDouble));
  for (std::int64_t place = 0; place < tiles.upper_count(); ++place) {
    const auto& [by_row, by_column] = parts[static_cast<std::size_t>(place)];
    tiles.rows_of(others, tiles.upper(place).row).add_(by_row);
    if (by_column.defined()) tiles.rows_of(others, tiles.upper(place).column).add_(by_column);
  }

  const at::Tensor exact = z.to(at::kDouble);
  const at::Tensor sums = at::zeros({classes, z.size(1)}, exact.options()).index_add_(0, labels, exact);
  const at::Tensor mates = sums.index_select(0, labels).sub_(exact);  // the sum of a row's positives
  const at::Tensor sizes = at::zeros({classes}, exact.options()).index_add_(0, labels, at::ones_like(others));
  const at::Tensor positives = sizes.index_select(0, labels).sub_(1);
  const at::Tensor has = positives.gt(0).to(at::kDouble), share = positives.clamp_min(1);
  const at::Tensor attracted = exact.mul(mates).sum(1).div_(temperature).div_(share);
  const double scale = 1 / (base * static_cast<double>(rows));
  const at::Tensor loss = attracted.sub(others.log().mul(has)).sum().mul(-temperature * scale);

  // d loss / d s_ij + d loss / d s_ji = scale (E_ij (h_i / r_i + h_j / r_j) - 2 [same class] / positives)
  const at::Tensor weight = has.div(others).mul_(scale).to(z.scalar_type());
  at::Tensor gradient = tiles.times_rows([&](const Tile& tile) {
    return tiles.kept(tile, powers)
        .mul(tiles.rows_of(weight, tile.row).unsqueeze(1).add(tiles.rows_of(weight, tile.column).unsqueeze(0)));
  });
  gradient.sub_(mates.div(share.unsqueeze(1)).mul_(2 * scale));
  return {loss, gradient};
}

LossAndGradient reweighted_by_tiles(const at::Tensor& z, const at::Tensor& labels, const Reweighting& by) {
  Tiles tiles(z);
  struct Sums {
    at::Tensor within, between;
  };
  /// slope * exp(slope * s): negative for a pair of one class, positive for one of two, zero for what is no pair.
  const auto flows = [&](const Tile& tile, Sums* sums) {
    const at::Tensor similar = tiles.similar(tile);
    const at::Tensor same =
        tiles.rows_of(labels, tile.row).unsqueeze(1).eq(tiles.rows_of(labels, tile.column).unsqueeze(0));
    at::Tensor slope = at::where(same, similar.mul(-by.m_w).add_(by.c_w), similar.mul(by.m_b).sub_(by.c_b));
    slope.sigmoid_().div_(by.tau);
    slope = at::where(same, slope.neg(), slope);
    at::Tensor power = slope.mul(similar).exp_();
    if (tile.diagonal()) power.triu_(1);
    if (sums != nullptr) {
      const at::Tensor within = power.mul(same);
      sums->within = within.sum(at::kDouble);
      sums->between = power.sub(within).sum(at::kDouble);
    }
    at::Tensor flow = slope.mul_(power);
    // Both halves, so that a tile on the diagonal is symmetric like all of them together.
    return tile.diagonal() ? flow.add(flow.t()) : flow;
  };
  std::vector<Sums> parts(static_cast<std::size_t>(tiles.upper_count()));
  for (std::int64_t place = 0; place < tiles.upper_count(); ++place)
    tiles.keep(place, flows(tiles.upper(place), &parts[static_cast<std::size_t>(place)]));
  at::Tensor within = at::zeros({}, z.options().dtype(at::kDouble)), between = at::zeros_like(within);
  for (const Sums& part : parts) {
    within.add_(part.within);
    between.add_(part.between);
  }
  // The log-sum-exp of nothing is -inf and its ELU is -1, with no gradient: OpenOOD's value.
  const at::Tensor both = within.ne(0).logical_and(between.ne(0)), total = within.log().add(between.log());
  const at::Tensor none = at::zeros_like(total), outer = at::where(both, total.clamp_max(0).exp(), none);
  const auto share = [&](const at::Tensor& of) { return at::where(both, outer.div(of), none).to(z.scalar_type()); };
  const at::Tensor of_within = share(within), of_between = share(between);
  const at::Tensor gradient = tiles.times_rows([&](const Tile& tile) {
    const at::Tensor flow = tiles.kept(tile, [&](const Tile& again) { return flows(again, nullptr); });
    return flow.mul(at::where(flow.lt(0), of_within, of_between));
  });
  return {at::where(both, at::elu(total), none.sub(1)), gradient};
}

}  // namespace nearfar::contrastive
