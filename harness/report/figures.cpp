#include "report/figures.h"

#include "base/error.h"
#include "base/set_name.h"
#include "plot/charts.h"
#include "report/figures_scores.h"
#include "report/order.h"
#include "report/row_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace nearfar {
namespace {

std::string titled(std::string_view what, const LeaderboardBoard& board) {
  return fmt::format("{}: {}", what, board_title(board));
}

const LeaderboardNumber* find_number(const LeaderboardRow& row, std::string_view group) {
  const auto found = std::ranges::find_if(row.numbers, [&](const LeaderboardNumber& number) {
    return number.group == group && number.dataset == "mean" && number.metric == "auroc";
  });
  return found == row.numbers.end() ? nullptr : &*found;
}

std::optional<plot::Interval> seed_whisker(const LeaderboardNumber& number) {
  if (number.by_seed.size() < 2) return std::nullopt;
  const auto [low, high] = std::ranges::minmax(number.by_seed);
  return plot::Interval{100 * low, 100 * high};
}

/// Near and far sets, in the board's order.
std::vector<const BenchmarkSet*> averaged_sets(const LeaderboardBoard& board) {
  std::vector<const BenchmarkSet*> sets;
  for (const BenchmarkSet& set : board.sets) {
    if (set.group == groups::kNear || set.group == groups::kFar) sets.push_back(&set);
  }
  return sets;
}

std::vector<const LeaderboardRow*> ranked_rows(const LeaderboardBoard& board) {
  std::vector<const LeaderboardRow*> rows;
  for (const LeaderboardRow& row : board.rows) {
    if (row.rank) rows.push_back(&row);
  }
  return rows;
}

/// Rank of each value, 1 for the highest; equal ones share the mean of their ranks.
std::vector<double> shared_ranks(const std::vector<double>& values) {
  std::vector<double> ranks;
  for (const double value : values) {
    const auto better = std::ranges::count_if(values, [&](double other) { return other > value; });
    const auto equal = std::ranges::count(values, value);
    ranks.push_back(static_cast<double>(better) + (static_cast<double>(equal) + 1) / 2);
  }
  return ranks;
}

const SelectedRow* find_row(const SelectedBoard& selected, const LeaderboardRow& row) {
  const auto found = std::ranges::find(selected.rows, static_cast<const RowName&>(row), &SelectedRow::name);
  return found == selected.rows.end() ? nullptr : &*found;
}

/// Scores of the best rows' first seeds, read once.
class ScoreFigures {
 public:
  ScoreFigures(const LeaderboardBoard& board, const SelectedBoard& selected, const FigureRequest& request)
      : board_(board), request_(request) {
    for (const LeaderboardRow* row : ranked_rows(board)) {
      const SelectedRow* found = find_row(selected, *row);
      if (read_.size() == request.rows || found == nullptr) continue;
      read_.push_back({row, found->seeds.front().subject->seed,
                       score_sides(request.scores(0, *found->seeds.front().subject), board.protocol)});
    }
  }

  std::vector<plot::Figure> figures() const {
    std::vector<plot::Figure> all;
    if (read_.empty()) return all;
    for (const BenchmarkSet& set : board_.sets) {
      if (auto figure = roc_of(set)) all.push_back(std::move(*figure));
    }
    all.push_back(scores_of_best());
    return all;
  }

 private:
  struct Read {
    const LeaderboardRow* row;
    std::int64_t seed;
    ScoreSides sides;
  };

  std::optional<plot::Figure> roc_of(const BenchmarkSet& set) const {
    std::vector<RocInput> curves;
    for (const Read& read : read_) {
      const auto scores = read.sides.ood.find(set.group + "/" + set.name);
      if (scores != read.sides.ood.end())
        curves.push_back({row_title(board_, *read.row), read.sides.id, scores->second});
    }
    if (curves.empty()) return std::nullopt;
    plot::Caption caption{
        .id = fmt::format("roc-{}-{}", set.group, set.name),
        .title = fmt::format("ROC on {} ({}): {}", set.name, set.group, board_title(board_)),
        .notes = {fmt::format("the best {} rows by rank, scores of seed {}", curves.size(), read_.front().seed)}};
    return roc_figure(std::move(caption), curves, request_.log_fpr);
  }

  plot::Figure scores_of_best() const {
    const Read& best = read_.front();
    std::vector<std::pair<std::string, std::vector<double>>> sides{{"in-distribution", best.sides.id}};
    for (const std::string_view group : {groups::kNear, groups::kFar}) {
      auto& [label, values] = sides.emplace_back(std::string(group), std::vector<double>());
      for (const auto& [set, scores] : best.sides.ood) {
        if (set.starts_with(std::string(group) + "/")) values.insert(values.end(), scores.begin(), scores.end());
      }
    }
    plot::Caption caption{.id = "scores",
                          .title = fmt::format("Scores of {}: {}", row_title(board_, *best.row), board_title(board_)),
                          .notes = {fmt::format("the best row by rank, seed {}; sets of a group together", best.seed)}};
    return scores_figure(std::move(caption), sides);
  }

  const LeaderboardBoard& board_;
  const FigureRequest& request_;
  std::vector<Read> read_ = {};
};

/// One a model and seed; models that no plan trained have none.
std::vector<TrainingInput> trainings_of(const LeaderboardBoard& board, const SelectedBoard& selected,
                                        const FigureRequest& request) {
  std::vector<TrainingInput> trainings;
  std::set<std::string_view> seen;  // model keys
  const SharedValues shared = shared_values(board);
  for (const LeaderboardRow& row : board.rows) {
    const SelectedRow* found = find_row(selected, row);
    if (found == nullptr) continue;
    const std::string label = training_text(shared, row);
    auto training = std::ranges::find(trainings, label, &TrainingInput::label);
    if (training == trainings.end()) {
      if (trainings.size() == request.trainings) continue;
      training = trainings.insert(trainings.end(), TrainingInput{.label = label});
    }
    for (const SelectedSeed& seed : found->seeds) {
      if (!seen.insert(seed.subject->model_key).second) continue;
      std::vector<CurvePoint> curves = request.curves(*seed.subject);
      if (!curves.empty()) training->seeds.push_back(std::move(curves));
    }
  }
  std::erase_if(trainings, [](const TrainingInput& training) { return training.seeds.empty(); });
  return trainings;
}

void add_training(std::vector<plot::Figure>& figures, const LeaderboardBoard& board, const SelectedBoard& selected,
                  const FigureRequest& request) {
  const std::vector<TrainingInput> trainings = trainings_of(board, selected, request);
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(trainings, [&](const TrainingInput& training) {
      return std::ranges::any_of(training.seeds, [&](const std::vector<CurvePoint>& points) {
        return std::ranges::find(points, name, &CurvePoint::name) != points.end();
      });
    });
  };
  if (has("train_loss")) {
    plot::Caption caption{.id = "training-loss", .title = titled("Training loss", board)};
    figures.push_back(training_figure(std::move(caption), trainings, "train_loss", false));
  }
  if (has("val_accuracy")) {
    plot::Caption caption{.id = "training-accuracy", .title = titled("Validation accuracy", board)};
    figures.push_back(training_figure(std::move(caption), trainings, "val_accuracy", true));
  }
}

}  // namespace

std::string row_title(const LeaderboardBoard& board, const LeaderboardRow& row) {
  return training_text(shared_values(board), row) + " " + postprocessor_text(row);
}

std::optional<plot::Figure> near_far_figure(const LeaderboardBoard& board) {
  plot::ScatterChart chart{.caption = {.id = "near-far", .title = titled("Near against far", board)},
                           .x = {.label = "near-OOD AUROC %"},
                           .y = {.label = "far-OOD AUROC %"}};
  const SharedValues shared = shared_values(board);
  bool whiskers = false;
  for (const LeaderboardRow& row : board.rows) {
    const LeaderboardNumber *near = find_number(row, "near"), *far = find_number(row, "far");
    if (near == nullptr || far == nullptr) continue;
    chart.points.push_back({.label = postprocessor_text(row),
                            .group = training_text(shared, row),
                            .x = 100 * near->value.mean,
                            .y = 100 * far->value.mean,
                            .x_whisker = seed_whisker(*near),
                            .y_whisker = seed_whisker(*far)});
    whiskers |= near->by_seed.size() > 1;
  }
  if (chart.points.empty()) return std::nullopt;
  if (whiskers) chart.caption.notes.emplace_back("whiskers: lowest to highest seed");
  return plot::scatter_chart(chart);
}

std::optional<plot::Figure> cost_figure(const LeaderboardBoard& board) {
  plot::ScatterChart chart{.caption = {.id = "cost", .title = titled("AUROC against cost", board)},
                           .x = {.label = "seconds to fit and score all sets", .scale = plot::Scale::logarithmic},
                           .y = {.label = "mean of near and far AUROC %"},
                           .pareto = plot::Pareto::low_x_high_y};
  const SharedValues shared = shared_values(board);
  std::vector<std::string> devices;
  for (const LeaderboardRow& row : board.rows) {
    if (!row.rank || !row.cost.score_seconds || *row.cost.score_seconds <= 0) continue;
    chart.points.push_back({.label = postprocessor_text(row),
                            .group = training_text(shared, row),
                            .x = *row.cost.score_seconds,
                            .y = 100 * row.score().value_or(0)});
    if (!row.cost.device.empty() && std::ranges::find(devices, row.cost.device) == devices.end())
      devices.push_back(row.cost.device);
  }
  if (chart.points.empty()) return std::nullopt;
  std::ranges::sort(devices);
  if (!devices.empty())
    chart.caption.notes.push_back(
        fmt::format("wall seconds as they were measured, mean over seeds, on {}", fmt::join(devices, ", ")));
  return plot::scatter_chart(chart);
}

std::optional<plot::Figure> sets_figure(const LeaderboardBoard& board) {
  plot::HeatmapChart chart{.caption = {.id = "sets", .title = titled("AUROC % of each data set", board)}};
  const std::vector<const BenchmarkSet*> sets = averaged_sets(board);
  for (const BenchmarkSet* set : sets) chart.columns.push_back(set->group + "/" + set->name);
  for (const LeaderboardRow& row : board.rows) {
    std::vector<std::optional<double>>& values = chart.values.emplace_back();
    chart.rows.push_back(row_title(board, row));
    for (const BenchmarkSet* set : sets) {
      const MeanStd* value = row.number(set->group, set->name, "auroc");
      values.push_back(value ? std::optional(100 * value->mean) : std::nullopt);
    }
  }
  if (chart.rows.empty() || chart.columns.empty()) return std::nullopt;
  return plot::heatmap_chart(chart);
}

std::optional<plot::Figure> ranks_figure(const LeaderboardBoard& board, const std::optional<RowCliques>& cliques) {
  const std::vector<const LeaderboardRow*> rows = ranked_rows(board);
  const std::vector<const BenchmarkSet*> sets = averaged_sets(board);
  if (rows.size() < 2 || sets.empty()) return std::nullopt;
  std::vector<double> sums(rows.size(), 0);
  for (const BenchmarkSet* set : sets) {
    std::vector<double> values;
    for (const LeaderboardRow* row : rows) {
      const MeanStd* value = row->number(set->group, set->name, "auroc");
      values.push_back(value ? value->mean : 0);  // ranked rows lack none
    }
    const std::vector<double> ranks = shared_ranks(values);
    for (std::size_t i = 0; i < rows.size(); ++i) sums[i] += ranks[i];
  }
  plot::CriticalDifferenceChart chart{.caption = {.id = "ranks", .title = titled("Mean ranks", board)},
                                      .cliques = cliques.value_or(RowCliques{})};
  chart.caption.notes.push_back(fmt::format("by AUROC over {} near and far sets{}", sets.size(),
                                            cliques ? "" : "; which rows can be told apart was not tested"));
  for (std::size_t i = 0; i < rows.size(); ++i)
    chart.methods.push_back({row_title(board, *rows[i]), sums[i] / static_cast<double>(sets.size())});
  return plot::critical_difference_chart(chart);
}

std::vector<plot::Figure> board_figures(const LeaderboardBoard& board, const SelectedBoard& selected,
                                        const FigureRequest& request) {
  std::vector<plot::Figure> figures;
  for (auto figure :
       {near_far_figure(board), cost_figure(board), sets_figure(board), ranks_figure(board, request.cliques)}) {
    if (figure) figures.push_back(std::move(*figure));
  }
  if (request.scores) {
    try {
      for (plot::Figure& figure : ScoreFigures(board, selected, request).figures())
        figures.push_back(std::move(figure));
    } catch (const Error&) {  // files are elsewhere, or are not what the run wrote; `db check` says so
    }
  }
  if (request.curves) add_training(figures, board, selected, request);
  return figures;
}

}  // namespace nearfar
