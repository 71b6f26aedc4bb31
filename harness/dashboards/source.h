#pragma once
/// What the exports of this folder are made of: every cell of a database that has been begun, with all that is known of
/// it, and the rows of the leaderboard that it stands in. Passes of features are left out: they have no number of their
/// own. Reads only. One thread at a time; failures are the store's.
#include "report/leaderboard.h"
#include "report/results.h"
#include "store/results.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

struct ExportFilter {
  std::optional<std::string> experiment = std::nullopt;
  std::function<bool(const CellStatus&)> wanted = {};  ///< empty = all
};

/// A row of the leaderboard that a cell is one seed of.
struct LeaderboardPlace {
  std::string protocol = {}, data_hash = {};
  RowName row = {};
  std::optional<int> rank = {};
  std::string unranked_reason = {};
};

struct ExportedCell {
  CellDetails details = {};
  std::string name = {};        ///< the label; where several cells of the export share it, with the cell's id
  std::string experiment = {};  ///< the first by name that has it; "" = none has it any more
  std::string flags = {};       ///< canonical; of an evaluation those of its model as well
  bool is_partial = false;      ///< made from a part of the images: never to be compared with whole results
  std::string run_uid = {};     ///< of the last attempt
  std::int64_t started_unix_ms = 0, finished_unix_ms = 0;        ///< of the last attempt; finished 0 = it is running
  std::string training_version = {}, training_source_hash = {};  ///< of the plugins; "" = unknown
  std::string postprocessor_version = {}, postprocessor_source_hash = {};
  /// Fractions. Of an evaluation also its model's accuracy, and the unweighted means of near and far (data set "mean").
  std::vector<MetricRow> numbers = {};
  std::vector<LeaderboardPlace> places = {};  ///< by protocol
};

class ExportSource {
 public:
  /// The store has to outlive it.
  ExportSource(const ResultStore& store, const ExportFilter& filter);
  ExportSource(const ExportSource&) = delete;
  ExportSource& operator=(const ExportSource&) = delete;

  std::size_t size() const { return statuses_.size(); }
  /// In planned order.
  ExportedCell cell(std::size_t place) const;
  /// Of the experiment, whatever cells are wanted.
  const Leaderboard& leaderboard() const { return leaderboard_; }
  const std::optional<std::string>& experiment() const { return filter_.experiment; }
  const ResultStore& store() const { return store_; }
  /// Cells whose result is only of a part of the images.
  std::size_t partial_count() const;

 private:
  void add_place(const LeaderboardBoard& board, const LeaderboardRow& row, const std::string& cell_key);
  void add_numbers(ExportedCell& cell) const;

  const ResultStore& store_;
  ExportFilter filter_;
  Results results_;
  Leaderboard leaderboard_;
  std::vector<CellStatus> statuses_;                               // those exported
  std::vector<std::string> names_;                                 // of each
  std::map<std::string, std::string> experiments_;                 // by cell
  std::map<std::string, std::size_t> subjects_, models_;           // by cell; of a model one of its evaluations
  std::map<std::size_t, std::vector<const ResultValue*>> values_;  // by subject
  std::map<std::string, std::vector<LeaderboardPlace>> places_;    // by cell
};

/// "cell ok", "failed: singular covariance": for people.
std::string state_text(const ExportedCell& cell);
/// "supcon (temperature=0.2) + knn (k=20)".
std::string row_title(const RowName& row);
/// {"training": …, "training_params": …, …} on one line: the six fields that `report --json` has for a row.
std::string row_json(const RowName& row);
/// "true", "6", "0.1", or the text itself.
std::string value_text(const ParamValue& value);
/// "ood/near/mean/auroc".
std::string number_name(const MetricRow& number);
/// "nll", or "near/cousins/nll" of an image set.
std::string measure_name(const MeasureRow& measure);

/// When a point of a curve was written, in milliseconds since 1970: the database has only the beginning and the end of
/// a run, and what lies between is taken to be even.
std::int64_t time_of_step(const ExportedCell& cell, std::int64_t step, std::int64_t last_step);
/// The largest step of the curves; 0 without one.
std::int64_t last_step(const ExportedCell& cell);

}  // namespace nearfar
