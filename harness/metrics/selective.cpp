#include "metrics/selective.h"

#include <nearfar/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

using Image = std::pair<double, bool>;  // score, failure

void add(std::vector<Image>& images, double score, bool failure, const char* side) {
  if (!std::isfinite(score)) {
    throw Error(ErrorKind::data,
                fmt::format("risk and coverage: a score of the {} images is {}; all have to be finite", side, score));
  }
  images.emplace_back(score, failure);
}

std::vector<Image> images_of(std::span<const double> scores, std::span<const std::uint8_t> correct,
                             std::span<const double> ood) {
  if (scores.size() != correct.size() || scores.empty()) {
    throw Error(ErrorKind::data, fmt::format("risk and coverage: {} scores for {} images that were classified; one "
                                             "score per image, at least one, is expected",
                                             scores.size(), correct.size()));
  }
  std::vector<Image> images;
  images.reserve(scores.size() + ood.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (correct[i] > 1)
      throw Error(ErrorKind::data,
                  fmt::format("risk and coverage: image {} is marked {}; 1 is right, 0 is wrong", i, correct[i]));
    add(images, scores[i], correct[i] == 0, "ID");
  }
  for (const double score : ood) add(images, score, true, "OOD");
  return images;
}

}  // namespace

SelectiveRisk selective_risk(std::span<const double> scores, std::span<const std::uint8_t> correct) {
  return selective_risk(scores, correct, {});
}

SelectiveRisk selective_risk(std::span<const double> scores, std::span<const std::uint8_t> correct,
                             std::span<const double> ood) {
  std::vector<Image> images = images_of(scores, correct, ood);
  std::ranges::sort(images, {}, &Image::first);
  SelectiveRisk risk{.images = images.size()};
  const auto n = static_cast<double>(images.size());
  for (std::size_t first = 0; first < images.size();) {
    std::size_t last = first, failures = 0;
    for (; last < images.size() && images[last].first == images[first].first; ++last)
      failures += images[last].second ? 1 : 0;
    const auto before = static_cast<double>(risk.failures),
               share = static_cast<double>(failures) / static_cast<double>(last - first);
    for (std::size_t kept = first + 1; kept <= last; ++kept) {
      const double failed = before + share * static_cast<double>(kept - first);  // mean over the orders of a tie
      risk.aurc += failed / static_cast<double>(kept) / n;
      risk.augrc += (failed - share / 2) / n / n;
    }
    risk.failures += failures;
    first = last;
  }
  return risk;
}

}  // namespace nearfar
