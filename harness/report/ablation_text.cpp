#include "report/ablation_text.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nearfar {
namespace {

std::string unsigned_points(double fraction) { return fmt::format("{:.2f}", std::abs(100 * fraction)); }

std::string seeds_text_of(const std::vector<std::int64_t>& seeds) {
  std::vector<std::string> texts;
  for (const std::int64_t seed : seeds) texts.push_back(std::to_string(seed));
  return fmt::format("seed{} {}", seeds.size() == 1 ? "" : "s", join(texts, ", "));
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

/// Of metrics of which less is better, which way is up has to be said.
std::string better_or_worse(const AblationMetric& metric, double estimate) {
  return (estimate > 0) == metric.lower_is_better ? "worse" : "better";
}

}  // namespace

std::string points_text(double fraction) {
  const std::string text = unsigned_points(fraction);
  if (text == "0.00") return text;
  return (fraction < 0 ? "−" : "+") + text;
}

std::string interval_text(const Difference& difference) {
  return fmt::format("[{}, {}]", points_text(difference.low), points_text(difference.high));
}

std::string probability_text(double p) { return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p); }

std::string number_text_of(const std::optional<MeanStd>& number) {
  if (!number) return "–";
  if (number->n < 2) return fmt::format("{:.2f}", 100 * number->mean);
  return fmt::format("{:.2f} ± {:.2f}", 100 * number->mean, 100 * number->std);
}

std::string panel_title(const AblationPanel& panel) {
  const std::string board = fmt::format("{}, protocol {}", panel.benchmark, panel.protocol);
  if (panel.of_methods) return board + ": methods, each at its baseline";
  return fmt::format("{}: {}/{} {}", board, panel.loss, panel.model, panel.postprocessor);
}

std::string change_text(const AblationPanel& panel, const AblationEffect& effect) {
  return fmt::format("{} {} → {}", panel.axes[effect.axis].name, effect.from, effect.to);
}

std::string effect_text(const Ablation& ablation, const AblationEffect& effect) {
  const AblationMetric& metric = ablation.metrics[effect.metric];
  const Difference& difference = effect.difference;
  const std::string seeds = fmt::format("{} seed{}", effect.seeds.size(), effect.seeds.size() == 1 ? "" : "s");
  std::string text;
  if (effect.real) {
    const std::string p =
        difference.p < 0.001 && effect.adjusted_p < 0.001 ? "p < 0.001" : fmt::format("p = {:.3f}", effect.adjusted_p);
    text = fmt::format("{} {} by {} points {}{}, real ({}, Holm; {})", metric.title,
                       difference.estimate > 0 ? "rises" : "falls", unsigned_points(difference.estimate),
                       interval_text(difference),
                       metric.lower_is_better ? ", " + better_or_worse(metric, difference.estimate) : "", p, seeds);
  } else {
    text = fmt::format("{}: no difference could be shown: {} {}, {}", metric.title, points_text(difference.estimate),
                       interval_text(difference), seeds);
    if (difference.low > 0 || difference.high < 0)
      text += fmt::format("; among so many comparisons the interval alone shows nothing (p = {:.3f}, Holm)",
                          effect.adjusted_p);
  }
  if (effect.seeds.size() == 1) text += "; one seed: says nothing of other seeds";
  if (!effect.also_differ.empty()) text += fmt::format("; they also differ in {}", join(effect.also_differ, "; "));
  return text;
}

std::string verdict_text(const Ablation& ablation, const AblationEffect& effect) {
  if (!effect.real) return effect.seeds.size() == 1 ? "not shown; one seed" : "not shown";
  const std::string text = "real: " + better_or_worse(ablation.metrics[effect.metric], effect.difference.estimate);
  return effect.seeds.size() == 1 ? text + "; one seed" : text;
}

std::string baseline_text(const Ablation& ablation, const AblationPanel& panel) {
  const AblationRow& base = panel.rows.front();
  std::vector<std::string> settings, numbers;
  for (std::size_t axis = 0; axis < panel.axes.size(); ++axis)
    settings.push_back(fmt::format("{} {}", panel.axes[axis].name, panel.axes[axis].values[base.levels[axis]]));
  for (std::size_t metric = 0; metric < ablation.metrics.size(); ++metric) {
    if (base.numbers[metric])
      numbers.push_back(fmt::format("{} {}", ablation.metrics[metric].title, number_text_of(base.numbers[metric])));
  }
  return fmt::format("{} (from {}): {}; {}", join(settings, ", "), panel.baseline_from, join(numbers, ", "),
                     seeds_text_of(base.seeds));
}

std::string swept_text(const AblationPanel& panel) {
  std::vector<std::string> axes;
  for (const AblationAxis& axis : panel.axes)
    axes.push_back(fmt::format("{} ({})", axis.name, join(axis.values, ", ")));
  return join(axes, "; ");
}

std::string importance_text(const Ablation& ablation, const AblationPanel& panel,
                            const AblationImportance& importance) {
  const VarianceShares& shares = importance.shares;
  std::vector<std::size_t> order(panel.axes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t axis) { return shares.shares[axis]; });
  std::vector<std::string> parts;
  for (const std::size_t axis : order) {
    const std::string how = !importance.line[axis] ? ""
                            : importance.log[axis] ? " (a line in its logarithm)"
                                                   : " (a line)";
    parts.push_back(fmt::format("{} {}{}", panel.axes[axis].name, percent(shares.shares[axis]), how));
  }
  parts.push_back(shares.has_products ? "interactions in pairs " + percent(shares.interaction)
                                      : "interactions unknown, as no two axes change together");
  if (shares.has_products || shares.residual >= 0.005) parts.push_back("the rest " + percent(shares.residual));
  if (std::abs(shares.shared) >= 0.005) parts.push_back("not told apart " + percent(shares.shared));
  const bool several = std::ranges::any_of(panel.rows, [](const AblationRow& row) { return row.seeds.size() > 1; });
  return fmt::format("{}: {}. {} settings, {}; {}", ablation.metrics[importance.metric].title, join(parts, ", "),
                     importance.rows,
                     shares.balanced ? "every combination equally often (plain sums of squares)"
                                     : "not every combination (sums of squares of type II)",
                     several ? fmt::format("seeds make {} of the variation of single results", percent(shares.seeds))
                             : "one seed each, so what seeds do is unknown");
}

std::vector<std::string> reading_notes(const Ablation& ablation) {
  const bool drawn = std::ranges::any_of(ablation.metrics, [](const AblationMetric& m) { return m.metric != "auroc"; });
  std::vector<std::string> notes;
  notes.push_back(fmt::format(
      "Percent points against the baseline, one change at a time. Intervals of {:.3g} % hold for other seeds and other "
      "images of the same kind: AUROC's after DeLong{}, with the spread of the seeds both have. \"Real\": p, adjusted "
      "after Holm over all differences of the metric in this report, is below {:.3g}.",
      100 * (1 - ablation.alpha),
      drawn ? fmt::format(", the others' by {} resamples of the images", ablation.resamples) : "", ablation.alpha));
  notes.emplace_back(
      "\"No difference could be shown\" does not say that there is none: the interval tells how large it may be. ± is "
      "the population standard deviation over seeds.");
  notes.emplace_back(
      "Importance: the share of an axis in the sum of squares of the settings' means over seeds. It is that of the "
      "values "
      "that were swept: wider steps weigh more.");
  return notes;
}

}  // namespace nearfar
