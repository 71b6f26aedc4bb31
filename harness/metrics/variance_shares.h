#pragma once
/// How much of the variation among settings each of several axes accounts for: analysis of variance by least squares.
/// Pure, safe from any thread.
///
/// Main effects have sums of squares of type II (Yates 1934, "The analysis of multiple classifications with unequal
/// numbers in the different classes"; Langsrud 2003, "ANOVA for unbalanced data: use type II instead of type III sums
/// of squares"): of axis A it is RSS(all other axes) - RSS(all axes), where RSS(M) is the residual sum of squares of
/// the least squares fit of the values by an intercept and the axes of M, without products. Where every combination of
/// levels is there equally often (balanced), this is the classic between-levels sum of squares of A, and the shares,
/// the interactions' and the residual add up to 1.
///
///   total       = sum over rows of (value - mean)^2
///   shares[A]   = (RSS(all others) - RSS(all)) / total
///   interaction = (RSS(all) - RSS(all and their products in pairs)) / total
///   residual    = RSS(all and their products in pairs) / total
///   shared      = 1 - sum of shares - interaction - residual: what rows that are not balanced leave open between axes;
///                 below 0 where axes hide each other's effect
///   seeds       = within / (within + between), with within = sum over rows and seeds of (value of the seed - mean of
///                 the row)^2, between = sum over rows of seeds * (mean of the row - mean of all seeds)^2
#include <cstddef>
#include <span>
#include <vector>

namespace nearfar {

/// One axis: of each row either its level, or, where `numbers` is not empty, a number of which the effect is taken to
/// be a straight line (one degree of freedom).
struct VarianceAxis {
  std::vector<std::size_t> levels = {};
  std::vector<double> numbers = {};
};

struct VarianceShares {
  std::vector<double> shares = {};  ///< by axis
  double interaction = 0, residual = 0, shared = 0, seeds = 0;
  double total = 0;           ///< of the rows' means; where it is 0 there is nothing to explain and every share is 0
  bool balanced = false;      ///< every combination of levels equally often
  bool has_products = false;  ///< some rows change two axes together; else nothing is known of interactions
};

/// `by_seed`: the values of each row, at least one; all but `seeds` is computed from their means. Error(data) where
/// there are fewer than two rows, an axis or a row lacks values, or one is not finite.
VarianceShares variance_shares(std::span<const VarianceAxis> axes, std::span<const std::vector<double>> by_seed);

}  // namespace nearfar
