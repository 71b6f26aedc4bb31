#include "metrics/ranking.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

namespace nearfar {
namespace {

/// Least number of OOD scores to catch, with the very comparison that scikit-learn and OpenOOD make on rounded shares.
std::int64_t catch_at_least(std::int64_t n_ood) {
  const auto total = static_cast<double>(n_ood);
  const auto enough = [total](std::int64_t caught) { return static_cast<double>(caught) / total >= 0.95; };
  auto caught = static_cast<std::int64_t>(0.95 * total);  // at most one off
  while (caught > 0 && enough(caught - 1)) --caught;
  while (!enough(caught)) ++caught;
  return caught;
}

/// Where all scores of one value lie in the two sorted sides. A point of the ROC curve flags this value and all above
/// it.
template <class Key>
struct TieGroup {
  const Key *id_begin, *id_end, *ood_begin, *ood_end;

  bool same_step(const TieGroup& other) const {
    return id_end - id_begin == other.id_end - other.id_begin && ood_end - ood_begin == other.ood_end - other.ood_begin;
  }
};

template <class Key>
TieGroup<Key> group_of(Key key, std::span<const Key> id, std::span<const Key> ood) {
  const auto in_id = std::ranges::equal_range(id, key);
  const auto in_ood = std::ranges::equal_range(ood, key);
  return {std::to_address(in_id.begin()), std::to_address(in_id.end()), std::to_address(in_ood.begin()),
          std::to_address(in_ood.end())};
}

/// The group of the next lower score. There must be one.
template <class Key>
TieGroup<Key> group_below(const TieGroup<Key>& group, const Key* id, const Key* ood) {
  const Key below_id = group.id_begin != id ? group.id_begin[-1] : Key{0};
  const Key below_ood = group.ood_begin != ood ? group.ood_begin[-1] : Key{0};
  const Key key = std::max(below_id, below_ood);
  TieGroup<Key> below{group.id_begin, group.id_begin, group.ood_begin, group.ood_begin};
  while (below.id_begin != id && below.id_begin[-1] == key) --below.id_begin;
  while (below.ood_begin != ood && below.ood_begin[-1] == key) --below.ood_begin;
  return below;
}

/// roc_curve, which goes down from the highest score, keeps its first and its last point, and drops one between where
/// the next step (ID and OOD scores added) equals the step that led to it. So a point that is not kept hands over to
/// the lower end of its run of equal steps. That the first is kept needs no rule here: if it catches 95 %, too few OOD
/// scores are left for a second step like it.
template <class T>
double fpr95(const SortedScores<T>& id_side, const SortedScores<T>& ood_side) {
  using Key = typename SortedScores<T>::Key;
  const Key* id = id_side.keys();
  const Key* ood = ood_side.keys();
  const Key* id_end = id + id_side.size();
  const Key* ood_end = ood + ood_side.size();

  // The first point to catch enough is that of the group which holds the last OOD score needed.
  const Key needed = ood_end[-catch_at_least(static_cast<std::int64_t>(ood_side.size()))];
  TieGroup<Key> group = group_of<Key>(needed, {id, id_end}, {ood, ood_end});
  while (group.id_begin != id || group.ood_begin != ood) {
    const TieGroup<Key> below = group_below(group, id, ood);
    if (!below.same_step(group)) break;
    group = below;
  }
  return static_cast<double>(id_end - group.id_begin) / static_cast<double>(id_side.size());
}

/// One merge of the two sides from the lowest score up. Each turn of the outer loop is one tie group, that is one step
/// of every curve.
template <class T>
OodMetrics sweep(const SortedScores<T>& id_side, const SortedScores<T>& ood_side) {
  using Key = typename SortedScores<T>::Key;
  const Key* id = id_side.keys();
  const Key* ood = ood_side.keys();
  const auto n_id = static_cast<std::int64_t>(id_side.size());
  const auto n_ood = static_cast<std::int64_t>(ood_side.size());
  const std::int64_t n = n_id + n_ood;

  std::int64_t pairs_won_twice =
      0;  // exact: twice the number of (ID, OOD) pairs with the OOD score above, ties counting once
  double area_in = 0, area_out = 0;  // twice the areas, with recall in counts
  // Precision of ID among what is below a boundary of two groups, and of OOD among what is above; 1 where nothing is,
  // as scikit-learn has it.
  double precision_in = 1, precision_out = static_cast<double>(n_ood) / static_cast<double>(n);
  std::int64_t i = 0, j = 0;  // ID and OOD scores passed so far
  while (i + j < n) {
    const std::int64_t id_before = i, ood_before = j;
    const Key key = std::min(id[i], ood[j]);
    do {  // without a branch on which side is next: in a mixed ranking that is a coin toss
      const bool from_id = id[i] <= ood[j];
      i += from_id;
      j += !from_id;
    } while (std::min(id[i], ood[j]) == key);

    const std::int64_t id_here = i - id_before, ood_here = j - ood_before;
    pairs_won_twice += ood_here * (id_before + i);
    const double precision_in_above = static_cast<double>(i) / static_cast<double>(i + j);
    const double precision_out_above = i + j < n ? static_cast<double>(n_ood - j) / static_cast<double>(n - i - j) : 1;
    area_in += static_cast<double>(id_here) * (precision_in + precision_in_above);
    area_out += static_cast<double>(ood_here) * (precision_out + precision_out_above);
    precision_in = precision_in_above;
    precision_out = precision_out_above;
  }

  return {
      .n_id = id_side.size(),
      .n_ood = ood_side.size(),
      .auroc = static_cast<double>(pairs_won_twice) / (2.0 * static_cast<double>(n_id) * static_cast<double>(n_ood)),
      .fpr95 = fpr95(id_side, ood_side),
      .aupr_in = area_in / (2.0 * static_cast<double>(n_id)),
      .aupr_out = area_out / (2.0 * static_cast<double>(n_ood))};
}

}  // namespace

OodMetrics ood_metrics(const SortedScores<float>& id, const SortedScores<float>& ood) { return sweep(id, ood); }
OodMetrics ood_metrics(const SortedScores<double>& id, const SortedScores<double>& ood) { return sweep(id, ood); }

OodMetrics ood_metrics(const SortedScores<float>& id, std::span<const float> ood) {
  return sweep(id, {ood, Side::ood});
}
OodMetrics ood_metrics(const SortedScores<double>& id, std::span<const double> ood) {
  return sweep(id, {ood, Side::ood});
}

OodMetrics ood_metrics(std::span<const float> id, std::span<const float> ood) {
  return ood_metrics({id, Side::id}, ood);
}
OodMetrics ood_metrics(std::span<const double> id, std::span<const double> ood) {
  return ood_metrics({id, Side::id}, ood);
}

double auroc(std::span<const float> id, std::span<const float> ood) { return ood_metrics(id, ood).auroc; }
double auroc(std::span<const double> id, std::span<const double> ood) { return ood_metrics(id, ood).auroc; }

}  // namespace nearfar
