#pragma once
/// Whether methods differ over data sets, and which: tests on ranks within each set. Pure, safe from any thread.
///
/// Conover (1999), "Practical Nonparametric Statistics", 3rd edition, section 5.8; Iman and Davenport (1980); for
/// classifiers Demšar (2006), "Statistical comparisons of classifiers over multiple data sets". k methods, b sets,
/// R_ij = rank of method j on set i (1 = best, ties averaged), R_j = its sum over the sets:
///   A = sum of R_ij²,  C = b k (k + 1)² / 4,  T1 = (k - 1) sum_j (R_j - b (k + 1) / 2)² / (A - C)     (chi-square)
///   T2 = (b - 1) T1 / (b (k - 1) - T1)                                                               (F)
/// The sets are taken as a sample of sets that could have been. Sets that share their ID images are less than that.
#include <cstddef>
#include <span>
#include <vector>

namespace nearfar {

/// With fewer sets no verdict is asked for: five that agree are not significant by Wilcoxon's test at 5 %, whatever the
/// values.
inline constexpr std::size_t kFewestSets = 6;

/// [methods][sets], higher is better.
using ValuesBySet = std::vector<std::vector<double>>;

struct Friedman {
  std::size_t methods = 0, sets = 0;
  std::vector<double> mean_ranks = {};  ///< of each method: 1 = best on all sets
  double chi_square = 0;                ///< T1, `degrees` of freedom
  double chi_square_p = 1;
  double f = 0;    ///< T2, `degrees` and `error_degrees`; infinite where all sets rank alike
  double f_p = 1;  ///< the better of the two: chi-square is conservative with few sets. (1 / k!)^(b - 1) for infinity
  std::size_t degrees = 0, error_degrees = 0;
};

/// Error(data): fewer than two methods or sets, methods of different numbers of sets, values that are not finite. All
/// values of every set equal: nothing differs, p = 1.
Friedman friedman(const ValuesBySet& values);

/// p of every pair of methods.
class PairwiseP {
 public:
  /// `p`: pairs (0, 1), (0, 2), …, (1, 2), …
  PairwiseP(std::size_t methods, std::vector<double> p);

  std::size_t methods() const { return methods_; }
  double at(std::size_t a, std::size_t b) const;  ///< 1 for a == b
  const std::vector<double>& all() const { return p_; }

 private:
  std::size_t methods_;
  std::vector<double> p_;
};

/// Conover's test of each pair, to be asked where Friedman's test is significant, adjusted by Holm over all pairs:
///   t = |R_a - R_b| / sqrt(2 b (A - sum_j R_j² / b) / ((b - 1) (k - 1))), (b - 1)(k - 1) degrees of freedom.
/// Errors as friedman().
PairwiseP conover_holm(const ValuesBySet& values);

/// Wilcoxon's signed ranks of each pair (difference.h), adjusted by Holm: what Benavoli, Corani and Mangili (2016),
/// "Should we really use post-hoc tests based on mean-ranks?", ask for, as a pair does not depend on the other methods.
/// Needs many sets: p is never below 2^(1 - b) times the number of pairs. Errors as friedman().
PairwiseP wilcoxon_holm(const ValuesBySet& values);

/// Groups of methods that are adjacent by mean rank and have no pair with p < alpha, as large as they get (the bars of
/// Demšar's diagrams): indices by mean rank, then by number; groups by their best. Of one method: none.
std::vector<std::vector<std::size_t>> cliques(std::span<const double> mean_ranks, const PairwiseP& p,
                                              double alpha = 0.05);

}  // namespace nearfar
