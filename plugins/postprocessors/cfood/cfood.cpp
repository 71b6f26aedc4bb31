// CFOOD: the share of reference images' neighbourhoods that an image falls into. As OpenOOD has it.
#include "../../common/npy_indices.h"

#include <nearfar/plugin.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

constexpr nearfar::Param kParams[] = {
    {"alpha", 0.1, 1e-6, 1.0, "share of the train images, drawn at random, that are the reference"},
    {"k", 0.01, 1e-6, 1.0, "share of the reference that must have the image as a neighbour"},
    {"seed", 0, 0, 2147483647, "of the draw"},
    {"picks", nearfar::kNoFile, "a .npy file of train rows that are the reference instead of a draw"}};
constexpr std::int64_t kReferenceTile = 4096;               // rows
constexpr std::int64_t kDistances = std::int64_t{1} << 22;  // entries of a block of distances: 16 MiB

/// The first `count` of a random permutation of 0 ... total - 1: Fisher-Yates with the standard's mt19937_64, numbers
/// above the last whole multiple rejected. The same on every platform.
std::vector<std::int64_t> draw(std::int64_t total, std::int64_t count, std::int64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(total));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const std::uint64_t left = order.size() - i, most = UINT64_MAX - (UINT64_MAX % left + 1) % left;
    std::uint64_t number = random();
    while (number > most) number = random();
    std::swap(order[i], order[i + number % left]);
  }
  order.resize(static_cast<std::size_t>(count));
  return order;
}

/// numpy.linspace(first, last, count), to the bit: the levels times n are cut to integers.
void linspace(std::vector<double>& levels, double first, double last, int count) {
  const double step = (last - first) / (count - 1);
  for (int i = 0; i + 1 < count; ++i) levels.push_back(i * step + first);
  levels.push_back(last);
}

/// The levels of neighbourhood size, as shares of n reference images, and the rank of each level's neighbour; equal
/// ranks once.
std::pair<std::vector<double>, std::vector<std::int64_t>> neighbourhoods(std::int64_t n) {
  std::vector<double> all, levels;
  linspace(all, 0.001, 0.1, 100);
  linspace(all, 0.105, 0.5, 81);
  linspace(all, 0.51, 0.99, 49);
  std::vector<std::int64_t> ranks;
  for (const double level : all) {
    const auto rank = static_cast<std::int64_t>(level * static_cast<double>(n) - 1) + 1;  // 0 is the image itself
    if (!ranks.empty() && rank <= ranks.back()) continue;
    ranks.push_back(rank);
    levels.push_back(level);
  }
  return {levels, ranks};
}

class Cfood final : public nearfar::Postprocessor {
 public:
  explicit Cfood(const nearfar::Params& params)
      : alpha_(params.number("alpha")),
        k_(params.number("k")),
        seed_(params.integer("seed")),
        picks_(params.text("picks")) {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor& train = context.train.normalized;
    std::vector<std::int64_t> rows = reference_rows(train.size(0));
    const auto n = static_cast<std::int64_t>(rows.size());
    const at::Tensor index = at::from_blob(rows.data(), {n}, at::TensorOptions(at::kLong)).to(train.device());
    reference_ = train.index_select(0, index);
    norms_ = reference_.toType(at::kDouble).square_().sum(1);

    auto [levels, ranks] = neighbourhoods(n);
    const auto count = static_cast<std::int64_t>(levels.size());
    const at::Tensor rank = at::from_blob(ranks.data(), {count}, at::TensorOptions(at::kLong)).to(train.device());
    radii_ = train.new_empty({count, n});
    for (std::int64_t first = 0; first < n; first += block_rows()) {
      const std::int64_t here = std::min(block_rows(), n - first);
      const at::Tensor sorted = std::get<0>(distances(reference_.narrow(0, first, here)).sort(1));
      radii_.narrow(1, first, here).copy_(sorted.index_select(1, rank).t());
    }
    levels.push_back(1);  // of an image that too few have as a neighbour, however far the neighbourhood reaches
    levels_ = at::from_blob(levels.data(), {count + 1}, at::TensorOptions(at::kDouble)).to(train.options());
    // The smallest count whose share reaches k, compared in float32 as the reference compares.
    enough_ = 0;
    while (static_cast<float>(enough_) / static_cast<float>(n) < static_cast<float>(k_)) ++enough_;
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    const std::int64_t total = batch.normalized.size(0);
    at::Tensor scores = batch.normalized.new_empty({total});
    for (std::int64_t first = 0; first < total; first += block_rows()) {
      const std::int64_t count = std::min(block_rows(), total - first);
      scores.narrow(0, first, count)
          .copy_(levels_.index_select(0, first_level(distances(batch.normalized.narrow(0, first, count)))));
    }
    return scores;
  }

 private:
  std::vector<std::int64_t> reference_rows(std::int64_t total) const {
    const auto share = static_cast<std::int64_t>(alpha_ * static_cast<double>(total));
    std::vector<std::int64_t> rows =
        picks_.empty() ? draw(total, share, seed_) : nearfar::common::read_npy_indices(picks_, total);
    if (rows.size() >= 2) return rows;
    throw nearfar::Error(nearfar::ErrorKind::data,
                         "the reference has " + std::to_string(rows.size()) + " of " + std::to_string(total) +
                             " train images; expected at least 2: give a larger alpha, or more picks");
  }

  std::int64_t block_rows() const { return std::clamp<std::int64_t>(kDistances / reference_.size(0), 16, 4096); }

  /// Squared distances of rows [n,D] to the reference images: [n,M] float32. The expansion is done in float64, and what
  /// it leaves between equal rows is put to 0: comparisons below are of equal numbers where the images are equal.
  at::Tensor distances(const at::Tensor& rows) const {
    const at::Tensor q = rows.toType(at::kDouble), squares = q.square().sum(1, true);
    at::Tensor result = rows.new_empty({rows.size(0), reference_.size(0)});
    for (std::int64_t first = 0; first < reference_.size(0); first += kReferenceTile) {
      const std::int64_t count = std::min(kReferenceTile, reference_.size(0) - first);
      const at::Tensor dots = q.mm(reference_.narrow(0, first, count).toType(at::kDouble).t());
      const at::Tensor exact = dots.mul_(-2).add_(squares).add_(norms_.narrow(0, first, count));
      result.narrow(1, first, count).copy_(exact.masked_fill_(exact.lt(1e-13), 0));
    }
    return result;
  }

  /// Per row, the first level at which enough reference images have the row within their neighbourhood; the number of
  /// levels if none has. [n,M] -> [n]. Neighbourhoods grow with the level, so that bisection finds it: 8 comparisons of
  /// M numbers, not 230.
  at::Tensor first_level(const at::Tensor& distance) const {
    const std::int64_t count = radii_.size(0);
    const auto options = distance.options().dtype(at::kLong);
    at::Tensor low = at::full({distance.size(0)}, 0, options), high = at::full({distance.size(0)}, count, options);
    for (std::int64_t reach = 1; reach <= count; reach *= 2) {
      const at::Tensor middle = low.add(high).div_(2, "floor");
      const at::Tensor held = radii_.index_select(0, middle.clamp_max(count - 1))
                                  .ge(distance)
                                  .sum(1)
                                  .ge(enough_)
                                  .logical_and_(middle.lt(count));
      high = at::where(held, middle, high);
      low = at::where(held, low, middle.add(1).minimum(high));
    }
    return high;
  }

  double alpha_, k_;
  std::int64_t seed_;
  std::string picks_;
  std::int64_t enough_ = 0;  // reference images that must have an image as a neighbour
  at::Tensor reference_;     // [M,D] unit rows
  at::Tensor norms_;         // [M] float64: their squared lengths
  at::Tensor radii_;         // [L,M]: squared radius of each reference image's neighbourhood at each level
  at::Tensor levels_;        // [L+1]: the levels, and 1
};

}  // namespace

NEARFAR_POSTPROCESSOR(Cfood, .name = "cfood", .version = "1.0.0",
                      .summary = "how large neighbourhoods of train images must be to hold the image",
                      .reference = "OpenOOD, cfood_postprocessor.py",
                      .needs = nearfar::kNormalizedFeatures | nearfar::kTrain, .params = kParams,
                      .sweep = "k=0.001,0.005,0.01,0.05;alpha=0.1,0.5,1")
