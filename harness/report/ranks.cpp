#include "report/ranks.h"

#include "base/error.h"
#include "metrics/auroc_parts.h"
#include "metrics/rank_intervals.h"
#include "report/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <utility>

namespace nearfar {
namespace {

constexpr double kSure = 0.975;
constexpr std::size_t kFewestSeeds = 3;  // for metrics that have seeds alone

/// Sides of every seed of a row.
using RowScores = std::vector<ScoreSides>;

class BoardRanks {
 public:
  BoardRanks(LeaderboardBoard& board, const SelectedBoard& selected, const RankRequest& request)
      : board_(board), request_(request), draws_{.resamples = request.resamples, .random = request.random} {
    for (LeaderboardRow& row : board.rows) {
      if (!row.rank) continue;
      const auto found = std::ranges::find(selected.rows, static_cast<const RowName&>(row), &SelectedRow::name);
      // Names may have been changed to tell boards apart: without its results a row has no scores.
      rows_.push_back({&row, found == selected.rows.end() ? nullptr : &*found});
    }
  }

  void add() {
    if (rows_.size() < 2) return;
    std::optional<std::vector<RankedMethod>> methods;
    if (may_read_scores()) methods = methods_with_images();
    const std::size_t seeds = board_.ranked_seeds.size();
    if (methods) {
      board_.intervals_from = seeds > 1 ? "images and seeds" : "images";
    } else if (seeds > 1) {
      methods = methods_of_seeds();
      board_.intervals_from = "seeds";
    } else {
      return;
    }
    const std::vector<RankInterval> intervals = rank_intervals(resample(*methods, draws_));
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      // The rank itself always lies within, also where its resamples are few.
      rows_[i].row->rank_low = std::min(intervals[i].low, *rows_[i].row->rank);
      rows_[i].row->rank_high = std::max(intervals[i].high, *rows_[i].row->rank);
    }
    mark_columns();
  }

 private:
  struct Ranked {
    LeaderboardRow* row;
    const SelectedRow* selected;
  };

  bool may_read_scores() const {
    if (!request_.scores) return false;
    std::int64_t of_one = 0;
    for (const BenchmarkSet& set : board_.sets) of_one += set.image_count;
    std::int64_t results = 0;
    for (const Ranked& ranked : rows_) {
      if (ranked.selected == nullptr) return false;
      results += static_cast<std::int64_t>(ranked.selected->seeds.size());
    }
    return of_one * results <= request_.most_scores;
  }

  RowScores scores_of(const SelectedRow& row) const {
    RowScores scores;
    for (const SelectedSeed& seed : row.seeds)
      scores.push_back(score_sides(request_.scores(0, *seed.subject), board_.protocol));
    return scores;
  }

  /// nullopt: a set has no scores.
  static std::optional<AurocParts> parts_of(const ScoreSides& sides, std::string_view group,
                                            const std::vector<std::string>& sets) {
    std::vector<std::span<const double>> spans;
    for (const std::string& set : sets) {
      const auto found = sides.ood.find(fmt::format("{}/{}", group, set));
      if (found == sides.ood.end()) return std::nullopt;
      spans.emplace_back(found->second);
    }
    return auroc_parts(sides.id, spans);
  }

  std::vector<std::string> sets_of(std::string_view group) const {
    std::vector<std::string> names;
    for (const BenchmarkSet& set : board_.sets) {
      if (set.group == group) names.push_back(set.name);
    }
    return names;
  }

  /// What ranks. nullopt where some scores cannot be had.
  std::optional<std::vector<RankedMethod>> methods_with_images() const {
    const std::vector<std::string> near = sets_of("near"), far = sets_of("far");
    std::vector<RankedMethod> methods;
    try {
      for (const Ranked& ranked : rows_) {
        RankedMethod& method = methods.emplace_back();
        for (const ScoreSides& sides : scores_of(*ranked.selected)) {
          std::optional<AurocParts> near_parts, far_parts;
          if (!near.empty() && !(near_parts = parts_of(sides, "near", near))) return std::nullopt;
          if (!far.empty() && !(far_parts = parts_of(sides, "far", far))) return std::nullopt;
          method.add_seed(near_parts ? &*near_parts : nullptr, far_parts ? &*far_parts : nullptr);
        }
      }
    } catch (const Error&) {  // files are elsewhere, or are not what the run wrote; `db check` says so
      return std::nullopt;
    }
    return methods;
  }

  std::vector<RankedMethod> methods_of_seeds() const {
    std::vector<RankedMethod> methods;
    for (const Ranked& ranked : rows_) {
      std::vector<double> sums(board_.ranked_seeds.size(), 0.0);
      double groups = 0;
      for (const LeaderboardNumber& number : ranked.row->numbers) {
        if (number.dataset != "mean" || number.metric != "auroc") continue;
        ++groups;
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += number.by_seed.at(i);
      }
      for (double& sum : sums) sum /= groups;
      methods.push_back({.by_seed = std::move(sums)});
    }
    return methods;
  }

  /// The three best numbers of a column, best first, with the place of their row.
  struct Contender {
    std::size_t row;
    LeaderboardNumber* number;
  };
  std::vector<Contender> best_three(const LeaderboardNumber& column, bool lower_is_better) const {
    std::vector<Contender> contenders;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (LeaderboardNumber& number : rows_[i].row->numbers) {
        if (number.group == column.group && number.dataset == column.dataset && number.metric == column.metric)
          contenders.push_back({i, &number});
      }
    }
    std::ranges::stable_sort(contenders, {}, [&](const Contender& one) {
      return lower_is_better ? one.number->value.mean : -one.number->value.mean;
    });
    if (contenders.size() > 3) contenders.resize(3);
    return contenders;
  }

  const RowScores& kept_scores(std::size_t row) {
    const auto [place, is_new] = kept_.try_emplace(row);
    if (is_new) place->second = scores_of(*rows_[row].selected);
    return place->second;
  }

  /// nullopt: nothing can be said of this column.
  std::optional<Resampled> resample_column(const std::vector<Contender>& contenders, bool lower_is_better) {
    const LeaderboardNumber& column = *contenders.front().number;
    const bool images = board_.intervals_from.starts_with("images") && column.metric == "auroc";
    if (!images && board_.ranked_seeds.size() < kFewestSeeds) return std::nullopt;
    std::vector<RankedMethod> methods;
    for (const Contender& contender : contenders) {
      RankedMethod& method = methods.emplace_back();
      if (!images) {
        for (const double value : contender.number->by_seed) method.by_seed.push_back(lower_is_better ? -value : value);
        continue;
      }
      const std::vector<std::string> sets =
          column.dataset == "mean" ? sets_of(column.group) : std::vector<std::string>{column.dataset};
      for (const ScoreSides& sides : kept_scores(contender.row)) {
        const std::optional<AurocParts> parts = parts_of(sides, column.group, sets);
        if (!parts) return std::nullopt;
        method.add_seed(&*parts, nullptr);
      }
    }
    return resample(methods, draws_);
  }

  void mark_columns() {
    for (const LeaderboardNumber& column : std::vector<LeaderboardNumber>(rows_.front().row->numbers)) {
      if (column.group == "id" || column.group == "control") continue;
      const std::size_t metric = place_of(column.metric, kMetrics);
      const bool lower_is_better = metric < kMetrics.size() && kMetrics[metric].lower_is_better;
      const std::vector<Contender> contenders = best_three(column, lower_is_better);
      if (contenders.size() < 2) continue;
      const std::optional<Resampled> drawn = resample_column(contenders, lower_is_better);
      if (!drawn || probability_better(*drawn, 0, 1) < kSure) continue;
      contenders[0].number->mark = Mark::best;
      if (contenders.size() == 2 || probability_better(*drawn, 1, 2) >= kSure)
        contenders[1].number->mark = Mark::second;
    }
  }

  LeaderboardBoard& board_;
  const RankRequest& request_;
  RankDraws draws_;
  std::vector<Ranked> rows_;
  std::map<std::size_t, RowScores> kept_;  // of rows that contend for a mark
};

}  // namespace

void add_rank_intervals(LeaderboardBoard& board, const SelectedBoard& selected, const RankRequest& request) {
  BoardRanks(board, selected, request).add();
}

}  // namespace nearfar
