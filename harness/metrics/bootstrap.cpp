#include "metrics/bootstrap.h"

#include "metrics/ranking.h"

#include <nearfar/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <numeric>
#include <random>
#include <thread>

namespace nearfar {
namespace {

using Key = SortedScores<double>::Key;
using Counts = std::vector<std::uint32_t>;  // of each image: how often it was drawn

/// The scores of one side, with the images that they are of.
class Ranked {
 public:
  Ranked(std::span<const double> scores, Side side) : sorted_(scores, side), images_(scores.size()) {
    std::iota(images_.begin(), images_.end(), 0u);
    std::sort(images_.begin(), images_.end(), [&](std::uint32_t a, std::uint32_t b) { return scores[a] < scores[b]; });
  }
  SortedScores<double> drawn(const Counts& counts) const {
    auto keys = std::make_unique_for_overwrite<Key[]>(images_.size() + 1);
    std::size_t at = 0;
    for (std::size_t place = 0; place < images_.size(); ++place) {
      for (std::uint32_t n = counts[images_[place]]; n > 0; --n) keys[at++] = sorted_.keys()[place];
    }
    return SortedScores<double>::of_sorted_keys(std::move(keys), images_.size());
  }

 private:
  SortedScores<double> sorted_;
  std::vector<std::uint32_t> images_;  // in the order of their scores
};

struct Method {
  Ranked id;
  std::vector<Ranked> ood;
};

std::vector<Ranked> ranked(const std::vector<std::span<const double>>& sets) {
  std::vector<Ranked> all;
  for (const std::span<const double> set : sets) all.emplace_back(set, Side::ood);
  return all;
}

using Values = std::array<double, 4>;

Values mean_over_sets_of(const Method& method, const Counts& id, const std::vector<Counts>& ood) {
  const SortedScores<double> side = method.id.drawn(id);
  std::vector<OodMetrics> metrics;
  for (std::size_t set = 0; set < ood.size(); ++set)
    metrics.push_back(ood_metrics(side, method.ood[set].drawn(ood[set])));
  Values mean{};
  for (const OodMetrics& one : metrics) {
    const Values values{one.auroc, one.fpr95, one.aupr_in, one.aupr_out};
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += values[i] / static_cast<double>(metrics.size());
  }
  return mean;
}

/// Independent of how a library makes numbers of a range.
Counts draw(std::size_t n, std::mt19937_64& random) {
  Counts counts(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const auto image = static_cast<std::size_t>((static_cast<unsigned __int128>(random()) * n) >> 64);
    ++counts[image];
  }
  return counts;
}

void check(const PairedScores& seed, const PairedScores& first) {
  bool fits = seed.id_a.size() == first.id_a.size() && seed.id_b.size() == first.id_a.size() &&
              seed.ood_a.size() == first.ood_a.size() && seed.ood_b.size() == first.ood_a.size();
  for (std::size_t set = 0; fits && set < first.ood_a.size(); ++set) {
    fits = seed.ood_a[set].size() == first.ood_a[set].size() && seed.ood_b[set].size() == first.ood_a[set].size();
  }
  if (!fits || first.ood_a.empty())
    throw Error(ErrorKind::data, "scores of different images, or of no OOD set, cannot be compared image by image");
}

class Bootstrap {
 public:
  Bootstrap(std::span<const PairedScores> seeds, std::uint64_t random) : random_(random) {
    for (const PairedScores& seed : seeds) {
      check(seed, seeds.front());
      methods_.push_back({{seed.id_a, Side::id}, ranked(seed.ood_a)});
      methods_.push_back({{seed.id_b, Side::id}, ranked(seed.ood_b)});
    }
    images_ = seeds.front().id_a.size();
    for (const std::span<const double> set : seeds.front().ood_a) set_images_.push_back(set.size());
  }

  Values difference(std::uint64_t number) const {
    std::seed_seq seeds{static_cast<std::uint32_t>(random_), static_cast<std::uint32_t>(random_ >> 32),
                        static_cast<std::uint32_t>(number)};
    std::mt19937_64 random(seeds);
    const Counts id = draw(images_, random);
    std::vector<Counts> ood;
    for (const std::size_t n : set_images_) ood.push_back(draw(n, random));
    Values sum{};
    for (std::size_t i = 0; i < methods_.size(); ++i) {
      const Values values = mean_over_sets_of(methods_[i], id, ood);
      const double sign = i % 2 == 0 ? -1 : 1, seeds_count = static_cast<double>(methods_.size() / 2);
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += sign * values[k] / seeds_count;
    }
    return sum;
  }

 private:
  std::uint64_t random_;
  std::vector<Method> methods_;  // a and b of each seed
  std::size_t images_ = 0;
  std::vector<std::size_t> set_images_;
};

}  // namespace

MetricVariances bootstrap_variances(std::span<const PairedScores> seeds, int resamples, std::uint64_t random,
                                    int threads) {
  if (seeds.empty()) throw Error(ErrorKind::data, "there are no scores to draw from");
  if (resamples < 2) throw Error(ErrorKind::internal, fmt::format("{} resamples have no variance", resamples));
  const Bootstrap bootstrap(seeds, random);
  std::vector<Values> values(static_cast<std::size_t>(resamples));
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < values.size(); i = next++) values[i] = bootstrap.difference(i);
  };
  const int count = threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::jthread> others;
  for (int i = 1; i < count; ++i) others.emplace_back(work);
  work();
  others.clear();
  Values variance{};
  for (std::size_t k = 0; k < variance.size(); ++k) {
    double mean = 0;
    for (const Values& one : values) mean += one[k] / static_cast<double>(values.size());
    for (const Values& one : values) variance[k] += (one[k] - mean) * (one[k] - mean);
    variance[k] /= static_cast<double>(values.size() - 1);
  }
  return {variance[0], variance[1], variance[2], variance[3]};
}

}  // namespace nearfar
