#pragma once
/// Two methods, or two databases, row against row: differences with intervals. Pure but for the scores, which a
/// function brings. Safe from any thread with results of its own.
///
/// The difference is B - A: A is the baseline. Compared are rows of one board (select.h) on the seeds that both have.
/// Values are fractions. AUROC's intervals are DeLong's through images (metrics/auroc_parts.h), those of the other
/// metrics a bootstrap's (metrics/bootstrap.h), joined with the seeds' as metrics/difference.h says.
#include "metrics/difference.h"
#include "report/results.h"
#include "report/score_sides.h"
#include "report/select.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// Which rows are meant: "supcon", "ce/resnet8 knn", "loss=ce,postprocessor=knn", "train.lr=0.05". Words are a loss, a
/// network or a postprocessor; keys are factors, or the end of one ("lr"). All of it has to hold. "": every row.
struct RowChoice {
  struct Condition {
    std::string key = {};  ///< "" = a word
    std::string value = {};
  };
  std::vector<Condition> conditions = {};

  /// Error(config) for a seed ("s0") and an empty key or value.
  static RowChoice from_text(std::string_view text);
};

struct CompareRequest {
  RowChoice a = {}, b = {};
  ReportFilter filter = {};
  double alpha = 0.05;  ///< 1 - alpha is the level of intervals; also the bound of `significant`
  int resamples = 400;
  std::uint64_t random = 0;
};

struct ComparedNumber {
  std::string group, dataset, metric;  ///< dataset "mean" for the mean over a group's sets
  double a = 0, b = 0;                 ///< means over the seeds
  Difference difference = {};
  double adjusted_p = 1;     ///< of near and far mean AUROC: Holm's, over all of the comparison; else as `p`
  bool significant = false;  ///< of near and far mean AUROC alone: adjusted_p < alpha
};

struct ComparedPair {
  std::string benchmark = {}, data_hash = {}, protocol = {};
  RowName a = {}, b = {};
  std::string flags = {};  ///< of either, canonical
  /// Training settings in which they differ besides what was named, as losses have recipes of their own: "train.lr 0.1,
  /// 0.5".
  std::vector<std::string> also_differ = {};
  std::vector<std::int64_t> seeds = {};  ///< ascending
  std::vector<ComparedNumber> numbers =
      {};                     ///< near, then far: the means in the order of metrics, then AUROC of each set
  SignedRank over_sets = {};  ///< of the sets' differences of mean AUROC
  std::size_t sets = 0;
};

struct Comparison {
  std::vector<ComparedPair> pairs = {};    ///< in the order of boards and rows of A
  std::vector<std::string> left_out = {};  ///< sentences: rows without a partner
  double alpha = 0.05;
  int resamples = 0;
  bool of_databases = false;

  /// B is worse than A in a near or far mean AUROC, and that is significant.
  bool regression() const;
};

/// Rows of one database that the choices name; they are partners where they are the same in everything that neither
/// choice names. (Of a named loss, its parameters and its head go with it; of a postprocessor its parameters. Where a
/// loss is named and no row is the same otherwise, training settings may differ, and that is told.)
/// Error(config): a choice that fits no row, or fits a row and several partners; Error(nothing): no partners at all;
/// Error(store): scores that do not give the stored metric.
Comparison compare_rows(const ResultsFrame& frame, const CompareRequest& request, const ScoresOf& scores);
/// The same rows of two databases.
Comparison compare_databases(const ResultsFrame& a, const ResultsFrame& b, const CompareRequest& request,
                             const ScoresOf& scores);

/// Tables for a terminal, percent points.
std::string comparison_text(const Comparison& comparison);
/// Fractions, everything.
std::string comparison_json(const Comparison& comparison);

}  // namespace nearfar
