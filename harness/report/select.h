#pragma once
/// Which results stand in which row of which board. Pure function of the frame, which what it returns points into.
///
/// A board is (benchmark, data manifest, protocol); a row is its factors (row_identity.h) and the versions of its two
/// plugins. Of several results of one row that differ only in plugin sources or numerics the newest is taken, for all
/// seeds; of several of one source and seed the newest run. A plugin of which a board has several versions is named
/// with its version there ("knn@1.2.0"). Rows whose names would be equal say in which factors they differ: these are
/// appended to the parameters shown, by their full names ("train.epochs=1"; where a row is at a default that was not
/// stored, "train.epochs=default").
#include "report/results.h"

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// What a row shows of what it is.
struct RowName {
  std::string training;
  std::string training_params;  ///< canonical "k=v;k=v", with the factors that tell the row from others of its board
  std::string architecture;
  std::string recipe;  ///< of several: "a/b"
  std::string postprocessor;
  std::string postprocessor_params;  ///< canonical "k=v;k=v", with such factors of the postprocessor

  auto operator<=>(const RowName&) const = default;  // NOLINT(modernize-use-nullptr): of the compiler's own code
};

struct SelectedSeed {
  const ResultSubject* subject = nullptr;
  std::span<const ResultValue> values;  ///< of one protocol
};

struct SelectedRow {
  RowName name;
  std::vector<SelectedSeed> seeds;  ///< ascending
};

struct SelectedBoard {
  std::string benchmark, data_hash, protocol;
  std::vector<SelectedRow> rows;               ///< by name; no two are equal
  std::vector<std::string> differing_factors;  ///< that rows of one name differ in; sorted
  std::int64_t superseded_count = 0;           ///< rows of older sources and numerics left out
};

/// By benchmark, protocol, data manifest, that of the newest result first. Of the filter benchmark and protocol are
/// used.
std::vector<SelectedBoard> select_boards(const ResultsFrame& frame, const ReportFilter& filter = {});

}  // namespace nearfar
