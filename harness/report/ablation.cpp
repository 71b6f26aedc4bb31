#include "report/ablation.h"

#include "base/error.h"
#include "base/text.h"
#include "report/ablation_measure.h"
#include "report/ablation_panels.h"
#include "report/compare_numbers.h"
#include "report/joined.h"
#include "report/leaderboard.h"
#include "report/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <tuple>

namespace nearfar {
namespace {

constexpr std::string_view kPartial = "partial";

std::vector<AblationMetric> wanted_metrics(const AblationRequest& request) {
  std::vector<AblationMetric> metrics;
  std::vector<std::string> names = request.metrics;
  if (names.empty()) names = {"near.auroc", "far.auroc"};
  for (const std::string& name : names) {
    AblationMetric metric = ablation_metric(name);
    if (std::ranges::find(metrics, metric.name, &AblationMetric::name) == metrics.end())
      metrics.push_back(std::move(metric));
  }
  return metrics;
}

using Measured = std::set<std::tuple<std::string, std::string, std::string>>;  // group, dataset, metric

/// What the seed has of the metrics.
Measured measured_in(const SelectedSeed& seed, const std::vector<AblationMetric>& metrics) {
  Measured found;
  for (const ResultValue& value : seed.values) {
    const bool wanted = std::ranges::any_of(metrics, [&](const AblationMetric& metric) {
      return value.group == metric.group && value.metric == metric.metric;
    });
    if (wanted) found.emplace(value.group, value.dataset, value.metric);
  }
  return found;
}

bool is_partial(const SelectedSeed& seed) {
  const std::vector<std::string> flags = split(seed.subject->flags, ';');
  return std::ranges::find(flags, kPartial) != flags.end();
}

/// Takes out rows that lack a set that others of their board have: their means are of something else.
void keep_complete(SelectedBoard& board, const std::vector<AblationMetric>& metrics, std::set<std::string>& lacking) {
  Measured all;
  for (const SelectedRow& row : board.rows) {
    for (const SelectedSeed& seed : row.seeds) all.merge(measured_in(seed, metrics));
  }
  std::erase_if(board.rows, [&](const SelectedRow& row) {
    const bool complete = !all.empty() && std::ranges::all_of(row.seeds, [&](const SelectedSeed& seed) {
      return measured_in(seed, metrics) == all;
    });
    if (!complete) lacking.insert(row_label(row.name));
    return !complete;
  });
}

/// Takes out what is no result of a setting, and says so.
void keep_comparable(std::vector<SelectedBoard>& boards, const std::vector<AblationMetric>& metrics,
                     std::vector<std::string>& left_out) {
  std::set<std::string> partial, lacking;
  bool control = false;
  std::int64_t superseded = 0;
  for (SelectedBoard& board : boards) {
    superseded += board.superseded_count;
    std::erase_if(board.rows, [&](SelectedRow& row) {
      if (row.name.postprocessor == kControlPostprocessor) return control = true;
      if (std::erase_if(row.seeds, is_partial) > 0) partial.insert(row_label(row.name));
      return row.seeds.empty();
    });
    keep_complete(board, metrics, lacking);
  }
  std::erase_if(boards, [](const SelectedBoard& board) { return board.rows.empty(); });
  if (control) left_out.emplace_back("the control, whose scores are random numbers");
  if (!partial.empty())
    left_out.push_back(fmt::format("partial results, of fewer images than the sets have: {}", joined(partial, ", ")));
  if (!lacking.empty())
    left_out.push_back(fmt::format("rows that lack the metric, or a set that others have: {}", joined(lacking, ", ")));
  if (superseded > 0)
    left_out.push_back(fmt::format("{} rows made by older sources of plugins or older numerics", superseded));
}

void add_gaps(const Results& results, std::vector<std::string>& left_out) {
  if (!results.failed.empty()) {
    std::vector<std::string> labels;
    for (const Gap& gap : results.failed) labels.push_back(fmt::format("{} ({})", gap.label, state_name(gap.state)));
    constexpr std::size_t kShown = 8;
    const std::size_t more = labels.size() > kShown ? labels.size() - kShown : 0;
    labels.resize(labels.size() - more);
    left_out.push_back(
        fmt::format("cells that failed: {}{}", join(labels, ", "), more > 0 ? fmt::format(" and {} more", more) : ""));
  }
  if (!results.not_applicable.empty()) {
    std::set<std::string> labels;
    for (const Gap& gap : results.not_applicable) labels.insert(without_seed(gap.label));
    left_out.push_back(fmt::format("what does not apply: {}", joined(labels, ", ")));
  }
  if (results.waiting_count > 0)
    left_out.push_back(fmt::format("{} cells that are not finished", results.waiting_count));
}

/// Settings in which methods differ besides what belongs to them alone.
std::vector<std::string> also_differ(const PanelRow& a, const PanelRow& b) {
  std::vector<std::string> result;
  for (const auto& [name, value] : a.facts) {
    const auto other = b.facts.find(name);
    const bool of_method = name == "loss" || name == "model" || name == "head" || name == "recipe" ||
                           name.starts_with("loss.") || name.starts_with("postprocessor");
    if (of_method) continue;
    if (other != b.facts.end() && other->second != value)
      result.push_back(fmt::format("{} {}, {}", name, value, other->second));
  }
  return result;
}

/// Scores of the last baseline stay: every difference asks for them again.
ScoresOf remembering(const ScoresOf& scores) {
  auto kept = std::make_shared<std::map<std::string, Scores>>();
  return [kept, &scores](int side, const ResultSubject& subject) {
    if (side != 0) return scores(side, subject);
    const auto found = kept->find(subject.cell_key);
    if (found != kept->end()) return found->second;
    return kept->emplace(subject.cell_key, scores(side, subject)).first->second;
  };
}

class Effects {
 public:
  Effects(const Panel& panel, AblationPanel& shown, const std::vector<AblationMetric>& metrics,
          const AblationRequest& request)
      : panel_(panel),
        shown_(shown),
        metrics_(metrics),
        request_{.alpha = request.alpha, .resamples = request.resamples, .random = request.random} {}

  void add(const ScoresOf& scores) {
    const ScoresOf remembered = remembering(scores);
    std::vector<WantedNumber> wanted;
    for (const AblationMetric& metric : metrics_) wanted.push_back({metric.group, metric.metric});
    for (std::size_t row = 1; row < panel_.rows.size(); ++row) {
      if (panel_.rows[row].changes == 1) add_row(row, wanted, remembered);
    }
    std::ranges::stable_sort(shown_.effects, {}, &AblationEffect::metric);
  }

 private:
  void add_row(std::size_t row, const std::vector<WantedNumber>& wanted, const ScoresOf& scores) {
    const PanelRow &a = panel_.rows.front(), &b = panel_.rows[row];
    const RowPair pair{.board = panel_.board, .a = a.row, .b = b.row};
    const std::optional<ComparedPair> compared = compare_pair(pair, request_, scores, wanted);
    std::size_t axis = 0;
    while (a.levels[axis] == b.levels[axis]) ++axis;
    const AblationAxis& changed = panel_.axes[axis];
    if (!compared) {
      shown_.notes.push_back(
          fmt::format("{} {} has no seed in common with the baseline", changed.name, changed.values[b.levels[axis]]));
      return;
    }
    for (std::size_t metric = 0; metric < metrics_.size(); ++metric) {
      const auto number = std::ranges::find_if(compared->numbers, [&](const ComparedNumber& one) {
        return one.group == metrics_[metric].group && one.metric == metrics_[metric].metric;
      });
      if (number == compared->numbers.end()) continue;
      shown_.effects.push_back({.metric = metric,
                                .axis = axis,
                                .row = row,
                                .from = changed.values[a.levels[axis]],
                                .to = changed.values[b.levels[axis]],
                                .also_differ = panel_.of_methods ? also_differ(a, b) : std::vector<std::string>(),
                                .seeds = compared->seeds,
                                .a = number->a,
                                .b = number->b,
                                .difference = number->difference});
    }
  }

  const Panel& panel_;
  AblationPanel& shown_;
  const std::vector<AblationMetric>& metrics_;
  CompareRequest request_;
};

AblationPanel measure(const Panel& panel, const std::vector<AblationMetric>& metrics, const AblationRequest& request,
                      const ScoresOf& scores) {
  AblationPanel shown{.benchmark = panel.board->benchmark,
                      .data_hash = panel.board->data_hash,
                      .protocol = panel.board->protocol,
                      .loss = panel.loss,
                      .model = panel.model,
                      .postprocessor = panel.postprocessor,
                      .of_methods = panel.of_methods,
                      .axes = panel.axes,
                      .rows = measure_rows(panel, metrics),
                      .baseline_from = panel.baseline_from,
                      .notes = panel.notes};
  Effects(panel, shown, metrics, request).add(scores);
  for (std::size_t metric = 0; metric < metrics.size(); ++metric) {
    if (std::optional<AblationImportance> one = measure_importance(shown, metric))
      shown.importance.push_back(std::move(*one));
    if (std::optional<AblationGrid> one = measure_grid(shown, metric, request.grid_axes))
      shown.grids.push_back(std::move(*one));
  }
  const auto several = std::ranges::count_if(shown.rows, [](const AblationRow& row) { return row.changes > 1; });
  if (several > 0)
    shown.notes.push_back(
        fmt::format("{} more setting{} differ{} from the baseline in more than one axis: they are in "
                    "the table of all numbers, in grids and in the importance of axes",
                    several, several == 1 ? "" : "s", several == 1 ? "s" : ""));
  return shown;
}

/// Holm's adjustment over all differences of a metric.
void adjust(Ablation& ablation) {
  for (std::size_t metric = 0; metric < ablation.metrics.size(); ++metric) {
    std::vector<AblationEffect*> effects;
    std::vector<double> p;
    for (AblationPanel& panel : ablation.panels) {
      for (AblationEffect& effect : panel.effects) {
        if (effect.metric != metric) continue;
        effects.push_back(&effect);
        p.push_back(effect.difference.p);
      }
    }
    const std::vector<double> adjusted = holm(p);
    for (std::size_t i = 0; i < effects.size(); ++i) {
      effects[i]->adjusted_p = adjusted[i];
      effects[i]->real = adjusted[i] < ablation.alpha;
    }
  }
}

/// The whole names of the axes asked for.
std::vector<std::string> grid_names(const std::vector<Panel>& panels, const std::vector<std::string>& asked) {
  if (asked.empty()) return {};
  if (asked.size() != 2)
    throw Error(ErrorKind::config,
                fmt::format("--axes '{}': expected two axes, like train.lr,train.epochs; there are: {}",
                            join(asked, ","), axes_text(panels)));
  std::vector<std::string> names;
  for (const std::string& key : asked) {
    std::set<std::string> found;
    for (const Panel& panel : panels) {
      for (const AblationAxis& axis : panel.axes) {
        if (axis.name == key) found = {key};
        const auto named = [&](const std::string& factor) { return names_fact(key, factor); };
        if (!found.contains(key) && std::ranges::any_of(axis.factors, named)) found.insert(axis.name);
      }
    }
    if (found.size() != 1)
      throw Error(ErrorKind::config,
                  fmt::format("--axes: '{}' names {}; the axes are: {}", key,
                              found.empty() ? "no axis" : joined(found, " and "), axes_text(panels)));
    names.push_back(*found.begin());
  }
  if (names[0] == names[1])
    throw Error(ErrorKind::config, fmt::format("--axes '{}': both name {}", join(asked, ","), names[0]));
  return names;
}

}  // namespace

AblationMetric ablation_metric(const std::string& name) {
  std::vector<std::string> names;
  for (const GroupInfo& group : kOodGroups) {
    for (const MetricInfo& metric : kOodMetrics) {
      if (!group.has_means) continue;
      const std::string one = fmt::format("{}.{}", group.key, metric.key);
      if (one == name) {
        return {.group = std::string(group.key),
                .metric = std::string(metric.key),
                .name = one,
                .title = fmt::format("{} {}", group.key, metric.title),
                .lower_is_better = metric.lower_is_better};
      }
      names.push_back(one);
    }
  }
  throw Error(ErrorKind::config,
              fmt::format("--metric '{}': expected one of {}{}", name, join(names, ", "), suggestion(name, names)));
}

Ablation make_ablation(const Results& results, const AblationRequest& request, const ScoresOf& scores) {
  const std::string experiment = results.filter.experiment.value_or("");
  Ablation ablation{.experiment = experiment,
                    .metrics = wanted_metrics(request),
                    .alpha = request.alpha,
                    .resamples = request.resamples};
  std::vector<SelectedBoard> boards = select_boards(results.frame, request.filter);
  keep_comparable(boards, ablation.metrics, ablation.left_out);
  add_gaps(results, ablation.left_out);
  if (boards.empty()) {
    throw Error(ErrorKind::nothing, fmt::format("{} has no finished results that can be compared{}{}; `nearfar status` "
                                                "shows the cells",
                                                experiment, ablation.left_out.empty() ? "" : "; left out: ",
                                                join(ablation.left_out, "; ")));
  }
  const std::vector<Panel> panels = make_panels(boards, request);
  const bool varies = std::ranges::any_of(panels, [](const Panel& panel) { return !panel.axes.empty(); });
  if (!varies)
    throw Error(ErrorKind::nothing,
                fmt::format("nothing varies among the finished results of {}: an ablation needs two settings of a "
                            "[sweep], two losses or two postprocessors",
                            experiment));
  AblationRequest named = request;
  named.grid_axes = grid_names(panels, request.grid_axes);
  for (const Panel& panel : panels) {
    if (!panel.axes.empty()) ablation.panels.push_back(measure(panel, ablation.metrics, named, scores));
  }
  adjust(ablation);
  return ablation;
}

}  // namespace nearfar
