#pragma once
/// Published numbers beside ours: which of them come out here. Pure functions, safe from any thread.
///
/// Compared are numbers of one benchmark, protocol, network, training, postprocessor and parameters, as the map of
/// report/published.h says. What tells rows of ours apart otherwise ("train.lr=0.05") is not told by a publication:
/// each such row is compared.
///
/// Ours is within the published number if it differs by no more than k of the published standard deviations, OpenOOD's
/// being the population standard deviation (numpy's default) over three seeds. Where none was published, or 0 (a single
/// run), it is within if it differs by no more than a fixed number of points.
#include "report/leaderboard.h"
#include "report/published.h"
#include "report/tables.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nearfar {

struct ReproductionRequest {
  double k = 2;           ///< published standard deviations
  double points = 0.005;  ///< fraction; where there is no deviation
};

struct ReproducedNumber {
  PublishedNumber published = {};
  MeanStd ours = {};
  double difference = 0;  ///< ours - published, fraction
  double bound = 0;       ///< fraction
  bool is_within = false;
};

struct ReproducedRow {
  PublishedRow published = {};
  std::string data_hash = {};
  RowName ours = {};
  std::string flags = {};  ///< of ours
  std::vector<std::int64_t> seeds = {};
  std::vector<ReproducedNumber> numbers = {};  ///< in the order of the published row
};

struct Reproduction {
  ReproductionRequest request = {};
  std::vector<PublishedSource> sources = {};
  std::vector<ReproducedRow> rows = {};    ///< in the order of the publication, then of our boards
  std::int64_t published_count = 0;        ///< numbers
  std::int64_t unknown_count = 0;          ///< of them: of methods or networks that are not here
  std::int64_t without_result_count = 0;   ///< of them: the method is here, a result is not
  std::vector<std::string> unmapped = {};  ///< as Published::unmapped
  // Of the numbers in rows:
  std::int64_t compared_count = 0;  ///< that are to be trusted
  std::int64_t within_count = 0;    ///< of these
  std::int64_t doubted_count = 0;   ///< the others
  double largest = 0;               ///< absolute difference of those to be trusted
};

Reproduction reproduce(const Leaderboard& leaderboard, const Published& published,
                       const ReproductionRequest& request = {});

/// "31 of 35 numbers within 2 std; largest difference 1.20 points", then what is not compared.
std::vector<std::string> reproduction_summary(const Reproduction& reproduction);
/// A table for each source, benchmark and protocol. `most`: so many rows of a table, those that are farthest in their
/// bounds, and a sentence that says so; 0 = all.
TablesReport reproduction_report(const Reproduction& reproduction, std::size_t most = 0);
/// In the layout of ReweightOOD's tables: of every published row that has numbers of single data sets, data set x
/// FPR@95, AUROC, AUPR in and out, published and ours beside each other; also where there is no result of ours.
TablesReport paper_report(const Leaderboard& leaderboard, const Published& published,
                          const ReproductionRequest& request = {});
/// One line a number, percent with four decimals: source,training,postprocessor,architecture,benchmark,protocol,group,
/// dataset,metric,published,published_std,ours,ours_std,seeds,difference,bound,within,doubt,
/// our_training,our_training_params,our_postprocessor,our_postprocessor_params,data_hash,flags
std::string reproduction_csv(const Reproduction& reproduction);
/// Fractions, everything.
std::string reproduction_json(const Reproduction& reproduction);

}  // namespace nearfar
