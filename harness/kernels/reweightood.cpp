// ReweightOOD on the CPU: two sums of exponentials over all pairs, then every pair's factor by its share of its sum.
#include "kernels/contrastive.h"
#include "kernels/pair_tiles.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <limits>
#include <unordered_map>

namespace nearfar::contrastive {
namespace {

/// log of the sum of sums, each with a largest exponent of its own; -infinity of none.
template <class T>
double log_of(const std::vector<BothKinds<T>>& sums, KindSums<T> BothKinds<T>::*kind) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const BothKinds<T>& one : sums)
    if ((one.*kind).sum != 0) largest = std::max(largest, static_cast<double>((one.*kind).largest));
  for (const BothKinds<T>& one : sums)
    if ((one.*kind).sum != 0)
      sum += static_cast<double>((one.*kind).sum) * std::exp(static_cast<double>((one.*kind).largest) - largest);
  return sum == 0 ? -std::numeric_limits<double>::infinity() : largest + std::log(sum);
}

/// A number for each label: exact in T up to 2^24 of them.
template <class T>
std::vector<T> class_numbers(const at::Tensor& labels) {
  std::unordered_map<std::int64_t, T> numbers;
  std::vector<T> of_row;
  const at::Tensor whole = labels.contiguous();
  for (std::int64_t i = 0; i < whole.numel(); ++i)
    of_row.push_back(numbers.try_emplace(whole.const_data_ptr<std::int64_t>()[i], T(numbers.size())).first->second);
  return of_row;
}

template <class T>
LossAndGradient reweightood(const at::Tensor& z, const at::Tensor& labels, const Reweighting& w, bool with_gradient) {
  const at::Tensor rows = z.contiguous();
  at::Tensor gradient = with_gradient ? at::zeros_like(rows) : at::empty({0}, rows.options());
  const PairSlopes<T> slopes{T(w.tau), T(w.m_b), T(w.c_b), T(w.m_w), T(w.c_w)};
  const std::vector<T> classes = class_numbers<T>(labels);
  const PairTiles<T> tiles(rows);
  std::vector<BothKinds<T>> sums(static_cast<std::size_t>(tiles.tiles()));
  const auto make = [&](const auto& place) {
    tiles.multiply(place);
    return reweighted<T>(place.tile, slopes, {classes.data() + place.first_row, classes.data() + place.first_column},
                         place.scratch);
  };
  tiles.for_each([&](const auto& place) { sums[static_cast<std::size_t>(place.index)] = make(place); });

  const double within = log_of(sums, &BothKinds<T>::within), between = log_of(sums, &BothKinds<T>::between);
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  // The ELU of nothing's log-sum-exp, which has no gradient. NaN remains NaN.
  if (within == kNone || between == kNone) return {rows.mul(0).sum().sub(1), gradient};
  const double both = within + between, slope = (both > 0 ? 1 : std::exp(both)) / w.tau;
  if (with_gradient) {
    tiles.for_each([&](const auto& place) {
      const BothKinds<T>& own = sums[static_cast<std::size_t>(place.index)];
      if (!tiles.kept()) make(place);
      const auto share = [&](const KindSums<T>& kind, double log) {
        return static_cast<T>(slope * std::exp(static_cast<double>(kind.largest) - log));
      };
      scale_by_kind<T>(place.tile, share(own.within, within), share(own.between, between));
      tiles.add_products(place, gradient);
    });
  }
  return {at::full({}, both > 0 ? both : std::expm1(both), rows.options()), gradient};
}

}  // namespace

LossAndGradient reweighted_on_cpu(const at::Tensor& z, const at::Tensor& labels, const Reweighting& by,
                                  bool with_gradient) {
  return by_type(z, [&]<class T>() { return reweightood<T>(z, labels, by, with_gradient); });
}

}  // namespace nearfar::contrastive
