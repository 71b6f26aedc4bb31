#include "metrics/rank_intervals.h"

#include "base/random.h"

#include <nearfar/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <numeric>
#include <thread>

namespace nearfar {
namespace {

constexpr std::size_t kTogether = 64;  // resamples of one pass: a hash has as many coins
constexpr std::size_t kLanes = 8;      // resamples of one inner loop
constexpr std::size_t kRows = 4;       // methods of one inner loop
constexpr std::size_t kImages = 256;   // of a block: its coins fit the second cache, a method's parts the first
constexpr std::uint64_t kOfSeeds = 1;  // streams of random numbers
constexpr std::uint64_t kOfImages = 2;

void add_to(std::vector<float>& sums, const std::vector<double>& parts, double weight) {
  if (sums.size() != parts.size()) {
    throw Error(ErrorKind::data, fmt::format("a seed with parts of {} images where others have {}; only seeds that "
                                             "scored the same images can be ranked image by image",
                                             parts.size(), sums.size()));
  }
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<float>(weight * parts[i]);
}

/// How much each image moves a method's mean: its part less the mean of the side, over the number of images, stretched
/// to the sample variance. All sides in one row, padded with zeros to whole blocks.
class Influences {
 public:
  explicit Influences(std::span<const RankedMethod> methods) {
    for (const std::vector<float>& side : methods.front().images) images_ += side.size();
    stride_ = (images_ + kImages - 1) / kImages * kImages;
    values_.resize((methods.size() + kRows - 1) / kRows * kRows * stride_, 0.0F);
    for (std::size_t m = 0; m < methods.size(); ++m) {
      float* at = values_.data() + m * stride_;
      for (const std::vector<float>& side : methods[m].images) {
        at = fill(side, static_cast<double>(methods[m].by_seed.size()), at);
      }
    }
  }

  std::size_t stride() const { return stride_; }
  const float* of(std::size_t method) const { return values_.data() + method * stride_; }

 private:
  static float* fill(const std::vector<float>& side, double seeds, float* at) {
    const auto n = static_cast<double>(side.size());
    const double mean = std::accumulate(side.begin(), side.end(), 0.0) / n;
    const double scale = n > 1 ? 1 / (seeds * std::sqrt(n * (n - 1))) : 0;  // one image: as AurocParts::variance()
    return std::transform(side.begin(), side.end(), at,
                          [&](float part) { return static_cast<float>((part - mean) * scale); });
  }

  std::size_t images_ = 0, stride_ = 0;
  std::vector<float> values_;  // [methods rounded up, stride]
};

/// Coins of a block of images for the resamples of one pass, as +1 and -1: [lanes' group][image][lane].
using Coins = std::array<float, kTogether * kImages>;

void toss(Coins& coins, std::uint64_t stream, std::size_t first_image) {
  for (std::size_t image = 0; image < kImages; ++image) {
    const std::uint64_t bits = splitmix64(stream ^ splitmix64(first_image + image));
    for (std::size_t group = 0; group < kTogether / kLanes; ++group) {
      float* to = coins.data() + (group * kImages + image) * kLanes;
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        to[lane] = static_cast<float>(static_cast<int>(bits >> (group * kLanes + lane) & 1U) * 2 - 1);
    }
  }
}

/// Sums of `kRows` methods' influences, each with its coin. Loops of fixed lengths that the compiler unrolls and makes
/// vectors of; without fused operations, so that results are the same on every processor.
void add_block(const float* influences, std::size_t stride, const float* coins, std::size_t total_stride,
               double* totals) {
  float sums[kRows][kLanes] = {};
  for (std::size_t image = 0; image < kImages; ++image) {
    for (std::size_t row = 0; row < kRows; ++row) {
      const float influence = influences[row * stride + image];
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums[row][lane] += influence * coins[image * kLanes + lane];
    }
  }
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      totals[row * total_stride + lane] += static_cast<double>(sums[row][lane]);
  }
}

/// What the images of pass `pass` add to each method: [methods rounded up to kRows, kTogether].
std::vector<double> image_draws(const Influences& influences, std::size_t methods, std::uint64_t random,
                                std::size_t pass) {
  std::vector<double> totals((methods + kRows - 1) / kRows * kRows * kTogether, 0.0);
  const std::uint64_t stream = splitmix64(splitmix64(random ^ splitmix64(kOfImages)) + pass);
  const auto coins = std::make_unique<Coins>();
  for (std::size_t image = 0; image < influences.stride(); image += kImages) {
    toss(*coins, stream, image);
    for (std::size_t m = 0; m < methods; m += kRows) {
      for (std::size_t lane = 0; lane < kTogether; lane += kLanes) {
        add_block(influences.of(m) + image, influences.stride(), coins->data() + lane * kImages, kTogether,
                  totals.data() + m * kTogether + lane);
      }
    }
  }
  return totals;
}

/// What each seed counts in a draw; the sum is 1.
std::vector<double> seed_weights(std::size_t seeds, std::uint64_t random, std::size_t draw) {
  const auto n = static_cast<double>(seeds);
  if (seeds == 1) return {1.0};
  const double stretch = std::sqrt(n / (n - 1));
  std::vector<double> weights(seeds, (1 - stretch) / n);
  const std::uint64_t stream = splitmix64(splitmix64(random ^ splitmix64(kOfSeeds)) + draw);
  for (std::size_t i = 0; i < seeds; ++i) {
    const auto seed = static_cast<std::size_t>((static_cast<unsigned __int128>(splitmix64(stream + i)) * seeds) >> 64);
    weights[seed] += stretch / n;
  }
  return weights;
}

void check(const RankedMethod& method, const RankedMethod& first) {
  if (method.by_seed.empty() || method.by_seed.size() != first.by_seed.size()) {
    throw Error(ErrorKind::data, fmt::format("a method with {} seeds beside one with {}; only methods with the same "
                                             "seeds, at least one, can be ranked together",
                                             method.by_seed.size(), first.by_seed.size()));
  }
  const bool fits =
      std::ranges::equal(method.images, first.images, {}, &std::vector<float>::size, &std::vector<float>::size);
  if (!fits) {
    throw Error(ErrorKind::data,
                "methods that scored different images, or other sets, cannot be ranked together image "
                "by image");
  }
  for (const double value : method.by_seed) {
    if (!std::isfinite(value)) throw Error(ErrorKind::data, fmt::format("a value to be ranked is {}", value));
  }
  for (const std::vector<float>& side : method.images) {
    if (!std::ranges::all_of(side, [](float part) { return std::isfinite(part); }))
      throw Error(ErrorKind::data, "an image's part of a value to be ranked is not a finite number");
  }
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// 1 and how many are better, for each.
template <class Value>
std::vector<int> ranks_of(std::size_t methods, const Value& value) {
  std::vector<std::size_t> order(methods);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return value(a) > value(b); });
  std::vector<int> ranks(methods);
  for (std::size_t place = 0; place < methods; ++place) {
    const bool tied = place > 0 && value(order[place]) == value(order[place - 1]);
    ranks[order[place]] = tied ? ranks[order[place - 1]] : static_cast<int>(place + 1);
  }
  return ranks;
}

}  // namespace

void RankedMethod::add_seed(const AurocParts* near, const AurocParts* far) {
  if (near == nullptr && far == nullptr)
    throw Error(ErrorKind::internal, "a seed to be ranked has neither near nor far parts");
  const double weight = near != nullptr && far != nullptr ? 0.5 : 1;
  std::size_t sides = 1;
  for (const AurocParts* group : {near, far}) sides += group != nullptr ? group->ood.size() : 0;
  if (by_seed.empty() && images.empty()) {
    images.emplace_back((near != nullptr ? near : far)->id.size(), 0.0F);
    for (const AurocParts* group : {near, far}) {
      if (group == nullptr) continue;
      for (const std::vector<double>& set : group->ood) images.emplace_back(set.size(), 0.0F);
    }
  }
  if (images.size() != sides) {
    throw Error(ErrorKind::data, fmt::format("a seed with {} sets of images where others have {}; only seeds that "
                                             "scored the same images can be ranked image by image",
                                             sides, images.size()));
  }
  double value = 0;
  std::size_t side = 1;
  for (const AurocParts* group : {near, far}) {
    if (group == nullptr) continue;
    value += weight * group->auroc;
    add_to(images.front(), group->id, weight);
    for (const std::vector<double>& set : group->ood) add_to(images[side++], set, weight);
  }
  by_seed.push_back(value);
}

Resampled resample(std::span<const RankedMethod> methods, const RankDraws& draws) {
  if (draws.resamples < 2) throw Error(ErrorKind::internal, fmt::format("{} resamples say nothing", draws.resamples));
  if (methods.empty()) throw Error(ErrorKind::data, "there are no methods to rank");
  for (const RankedMethod& method : methods) check(method, methods.front());
  const auto resamples = static_cast<std::size_t>(draws.resamples);
  Resampled result{.methods = methods.size(), .resamples = resamples, .values = {}, .means = {}};
  result.values.resize(methods.size() * resamples);
  for (const RankedMethod& method : methods) result.means.push_back(mean_of(method.by_seed));
  const std::size_t seeds = methods.front().by_seed.size();
  const Influences influences(methods);
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t pass = next++; pass * kTogether < resamples; pass = next++) {
      const std::vector<double> images = image_draws(influences, methods.size(), draws.random, pass);
      for (std::size_t draw = pass * kTogether; draw < std::min(resamples, (pass + 1) * kTogether); ++draw) {
        const std::vector<double> weights = seed_weights(seeds, draws.random, draw);
        for (std::size_t m = 0; m < methods.size(); ++m) {
          result.values[m * resamples + draw] = std::inner_product(
              weights.begin(), weights.end(), methods[m].by_seed.begin(), images[m * kTogether + draw % kTogether]);
        }
      }
    }
  };
  const std::size_t most = (resamples + kTogether - 1) / kTogether;
  const std::size_t count = std::min<std::size_t>(
      most, draws.threads > 0 ? static_cast<std::size_t>(draws.threads) : std::thread::hardware_concurrency());
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < count; ++i) others.emplace_back(work);
  work();
  others.clear();
  return result;
}

std::vector<RankInterval> rank_intervals(const Resampled& resampled, double level) {
  if (!(level > 0 && level < 1)) throw Error(ErrorKind::internal, fmt::format("{} is no level of an interval", level));
  std::vector<std::vector<int>> drawn(resampled.methods);  // ranks by resample
  for (std::size_t draw = 0; draw < resampled.resamples; ++draw) {
    const std::vector<int> ranks = ranks_of(resampled.methods, [&](std::size_t m) { return resampled.of(m)[draw]; });
    for (std::size_t m = 0; m < ranks.size(); ++m) drawn[m].push_back(ranks[m]);
  }
  const std::vector<int> ranks = ranks_of(resampled.methods, [&](std::size_t m) { return resampled.means[m]; });
  // A hair of tolerance: 0.025 of 400 is 10 on paper and may be 10.000000000000009 here.
  const auto cut = static_cast<std::size_t>((1 - level) / 2 * static_cast<double>(resampled.resamples) + 1e-9);
  std::vector<RankInterval> intervals;
  for (std::size_t m = 0; m < resampled.methods; ++m) {
    std::ranges::sort(drawn[m]);
    intervals.push_back({.rank = ranks[m], .low = drawn[m][cut], .high = drawn[m][resampled.resamples - 1 - cut]});
  }
  return intervals;
}

double probability_better(const Resampled& resampled, std::size_t a, std::size_t b) {
  if (a >= resampled.methods || b >= resampled.methods)
    throw Error(ErrorKind::internal, fmt::format("methods {} and {} of {}", a, b, resampled.methods));
  double wins = 0;
  for (std::size_t draw = 0; draw < resampled.resamples; ++draw) {
    const double left = resampled.of(a)[draw], right = resampled.of(b)[draw];
    wins += left > right ? 1 : left == right ? 0.5 : 0;
  }
  return wins / static_cast<double>(resampled.resamples);
}

}  // namespace nearfar
