#include "report/compare.h"

#include "base/error.h"
#include "base/text.h"
#include "report/compare_numbers.h"
#include "report/compare_pairs.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

bool decides(const ComparedNumber& number) { return number.dataset == "mean" && number.metric == "auroc"; }

Comparison compare_all(const std::vector<RowPair>& pairs, std::vector<std::string> left_out,
                       const CompareRequest& request, const ScoresOf& scores) {
  Comparison comparison{.left_out = std::move(left_out), .alpha = request.alpha, .resamples = request.resamples};
  for (const RowPair& pair : pairs) {
    if (std::optional<ComparedPair> one = compare_pair(pair, request, scores)) {
      comparison.pairs.push_back(std::move(*one));
    } else {
      comparison.left_out.push_back(
          fmt::format("{} and {} have no seed in common", row_label(pair.a->name), row_label(pair.b->name)));
    }
  }
  if (comparison.pairs.empty()) throw Error(ErrorKind::nothing, join(comparison.left_out, "; "));
  std::vector<ComparedNumber*> deciding;
  for (ComparedPair& pair : comparison.pairs) {
    for (ComparedNumber& number : pair.numbers) {
      if (decides(number)) deciding.push_back(&number);
    }
  }
  std::vector<double> p;
  for (const ComparedNumber* number : deciding) p.push_back(number->difference.p);
  const std::vector<double> adjusted = holm(p);
  for (std::size_t i = 0; i < deciding.size(); ++i) {
    deciding[i]->adjusted_p = adjusted[i];
    deciding[i]->significant = adjusted[i] < request.alpha;
  }
  return comparison;
}

}  // namespace

bool Comparison::regression() const {
  return std::ranges::any_of(pairs, [](const ComparedPair& pair) {
    return std::ranges::any_of(pair.numbers, [](const ComparedNumber& number) {
      return number.significant && number.difference.estimate < 0;
    });
  });
}

Comparison compare_rows(const ResultsFrame& frame, const CompareRequest& request, const ScoresOf& scores) {
  const std::vector<SelectedBoard> boards = select_boards(frame, request.filter);
  std::vector<std::string> left_out;
  const std::vector<RowPair> pairs = pair_rows(boards, request.a, request.b, left_out);
  return compare_all(pairs, std::move(left_out), request, scores);
}

Comparison compare_databases(const ResultsFrame& a, const ResultsFrame& b, const CompareRequest& request,
                             const ScoresOf& scores) {
  const std::vector<SelectedBoard> boards_a = select_boards(a, request.filter),
                                   boards_b = select_boards(b, request.filter);
  std::vector<std::string> left_out;
  const std::vector<RowPair> pairs = pair_databases(boards_a, boards_b, left_out);
  Comparison comparison = compare_all(pairs, std::move(left_out), request, scores);
  comparison.of_databases = true;
  return comparison;
}

}  // namespace nearfar
