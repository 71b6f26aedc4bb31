// Losses of pairs by blocks of rows, in tensor operators alone: what every device has.
#include "kernels/contrastive.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace nearfar::contrastive {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();
constexpr std::int64_t kBlockValues = std::int64_t{1} << 22;  // of a block's matrix

std::int64_t rows_of_block(std::int64_t rows) { return std::clamp<std::int64_t>(kBlockValues / rows, 1, rows); }

}  // namespace

LossAndGradient supervised_by_rows(const at::Tensor& z, const at::Tensor& labels, const Supervision& by) {
  const auto [temperature, base] = by;
  const std::int64_t rows = z.size(0), block = rows_of_block(rows);
  const at::Tensor all = at::arange(rows, labels.options());
  const double scale = 1 / (base * static_cast<double>(rows));
  at::Tensor sum = at::zeros({}, z.options().dtype(at::kDouble)), gradient = at::zeros_like(z);
  for (std::int64_t first = 0; first < rows; first += block) {
    const std::int64_t count = std::min(block, rows - first);
    const at::Tensor own = z.narrow(0, first, count);
    const at::Tensor self = all.narrow(0, first, count).unsqueeze(1).eq(all.unsqueeze(0));
    const at::Tensor same =
        labels.narrow(0, first, count).unsqueeze(1).eq(labels.unsqueeze(0)).logical_and(self.logical_not());
    const at::Tensor similar = own.mm(z.t()).div(temperature).masked_fill(self, kNone);
    const at::Tensor others = similar.logsumexp(1, true);
    const at::Tensor positives = same.sum(1, true);
    const at::Tensor has = positives.gt(0).to(z.scalar_type()), share = positives.clamp_min(1).to(z.scalar_type());
    const at::Tensor attracted = similar.masked_fill(same.logical_not(), 0).sum(1, true).div(share);
    sum = sum.add(attracted.sub(others.mul(has)).sum(at::kDouble));
    const at::Tensor flow = similar.sub(others).exp().mul(has).sub(same.to(z.scalar_type()).div(share)).mul(scale);
    gradient.narrow(0, first, count).add_(flow.mm(z));
    gradient.add_(flow.t().mm(own));
  }
  return {sum.mul(-temperature * scale), gradient};
}

namespace {

/// A block of pairs i < j of ReweightOOD.
struct PairBlock {
  at::Tensor within, between;  ///< which pairs
  at::Tensor slope;            ///< of the exponent: -w / tau or w / tau, where w is a constant
  at::Tensor exponent;
};

PairBlock pair_block(const at::Tensor& z, const at::Tensor& labels, const at::Tensor& all, std::int64_t first,
                     std::int64_t count, const Reweighting& by) {
  const at::Tensor similar = z.narrow(0, first, count).mm(z.t());
  const at::Tensor pair = all.narrow(0, first, count).unsqueeze(1).lt(all.unsqueeze(0));
  const at::Tensor same = labels.narrow(0, first, count).unsqueeze(1).eq(labels.unsqueeze(0));
  const at::Tensor pull = similar.mul(-by.m_w).add(by.c_w).sigmoid().div(-by.tau);
  const at::Tensor push = similar.mul(by.m_b).sub(by.c_b).sigmoid().div(by.tau);
  const at::Tensor slope = at::where(same, pull, push);
  return {pair.logical_and(same), pair.logical_and(same.logical_not()), slope, slope.mul(similar)};
}

at::Tensor log_sum(const PairBlock& block, const at::Tensor& mask) {
  return block.exponent.masked_fill(mask.logical_not(), kNone).to(at::kDouble).flatten().logsumexp(0);
}

}  // namespace

LossAndGradient reweighted_by_rows(const at::Tensor& z, const at::Tensor& labels, const Reweighting& by) {
  const std::int64_t rows = z.size(0), block = rows_of_block(rows);
  const at::Tensor all = at::arange(rows, labels.options());
  std::vector<at::Tensor> pulls, pushes;
  for (std::int64_t first = 0; first < rows; first += block) {
    const PairBlock pairs = pair_block(z, labels, all, first, std::min(block, rows - first), by);
    pulls.push_back(log_sum(pairs, pairs.within));
    pushes.push_back(log_sum(pairs, pairs.between));
  }
  const at::Tensor pull = at::stack(pulls).logsumexp(0), push = at::stack(pushes).logsumexp(0);
  const at::Tensor both = pull.ne(kNone).logical_and(push.ne(kNone)), total = pull.add(push);
  // The log-sum-exp of nothing is -inf and its ELU is -1, with no gradient: OpenOOD's value.
  const at::Tensor loss = at::where(both, at::elu(total), at::zeros_like(total).sub(1));
  const at::Tensor outer = at::where(both, total.clamp_max(0).exp(), at::zeros_like(total));
  const auto safe = [](const at::Tensor& of) { return at::where(of.eq(kNone), at::zeros_like(of), of); };
  at::Tensor gradient = at::zeros_like(z);
  for (std::int64_t first = 0; first < rows; first += block) {
    const std::int64_t count = std::min(block, rows - first);
    const PairBlock pairs = pair_block(z, labels, all, first, count, by);
    const at::Tensor shifted = pairs.exponent.to(at::kDouble).sub(at::where(pairs.within, safe(pull), safe(push)));
    const at::Tensor share = shifted.masked_fill(pairs.within.logical_or(pairs.between).logical_not(), kNone).exp();
    const at::Tensor flow = share.mul(outer).to(z.scalar_type()).mul(pairs.slope);
    gradient.narrow(0, first, count).add_(flow.mm(z));
    gradient.add_(flow.t().mm(z.narrow(0, first, count)));
  }
  return {loss, gradient};
}

}  // namespace nearfar::contrastive
