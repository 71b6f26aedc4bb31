#include "metrics/auroc_parts.h"

#include "metrics/ranking.h"

#include <nearfar/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace nearfar {
namespace {

/// Adds to each of `parts` `weight` times the share of `others` (sorted) that are below the score, or above it.
void add_shares(std::span<const double> scores, const std::vector<double>& others, bool below, double weight,
                std::span<double> parts) {
  const auto n = static_cast<double>(others.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto [first, last] = std::equal_range(others.begin(), others.end(), scores[i]);
    const auto less = static_cast<double>(first - others.begin()), ties = static_cast<double>(last - first);
    parts[i] += weight * ((below ? less : n - less - ties) + ties / 2) / n;
  }
}

std::vector<double> sorted(std::span<const double> scores) {
  std::vector<double> copy(scores.begin(), scores.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

double variance_of_mean(const std::vector<double>& parts) {
  const auto n = static_cast<double>(parts.size());
  if (parts.size() < 2) return 0;
  const double mean = std::accumulate(parts.begin(), parts.end(), 0.0) / n;
  double squares = 0;
  for (const double part : parts) squares += (part - mean) * (part - mean);
  return squares / (n - 1) / n;
}

void add_scaled(std::vector<double>& to, const std::vector<double>& from, double weight) {
  if (to.size() != from.size()) {
    throw Error(ErrorKind::data,
                fmt::format("parts of {} and of {} images; only results on the same images can be compared image by "
                            "image",
                            to.size(), from.size()));
  }
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += weight * from[i];
}

}  // namespace

void AurocParts::add(const AurocParts& other, double weight) {
  if (id.empty() && ood.empty()) {
    id.resize(other.id.size(), 0.0);
    for (const std::vector<double>& set : other.ood) ood.emplace_back(set.size(), 0.0);
  }
  if (ood.size() != other.ood.size())
    throw Error(ErrorKind::data, fmt::format("parts of {} and of {} sets", ood.size(), other.ood.size()));
  auroc += weight * other.auroc;
  add_scaled(id, other.id, weight);
  for (std::size_t set = 0; set < ood.size(); ++set) add_scaled(ood[set], other.ood[set], weight);
}

double AurocParts::variance() const {
  double sum = variance_of_mean(id);
  for (const std::vector<double>& set : ood) sum += variance_of_mean(set);
  return sum;
}

AurocParts auroc_parts(std::span<const double> id, std::span<const std::span<const double>> ood) {
  if (ood.empty()) throw Error(ErrorKind::data, "there is no OOD set; an AUROC needs one");
  AurocParts parts;
  parts.id.resize(id.size(), 0.0);
  const double weight = 1 / static_cast<double>(ood.size());
  const SortedScores<double> id_side(id, Side::id);  // finite, or it throws
  const std::vector<double> sorted_id = sorted(id);
  for (const std::span<const double> set : ood) {
    parts.auroc += weight * ood_metrics(id_side, set).auroc;
    add_shares(id, sorted(set), false, weight, parts.id);
    std::vector<double>& of_set = parts.ood.emplace_back(set.size(), 0.0);
    add_shares(set, sorted_id, true, weight, of_set);
  }
  return parts;
}

}  // namespace nearfar
