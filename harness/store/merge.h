#pragma once
/// Databases of several hosts, or of several times, as one. For `nearfar merge`. Safe from any thread. Failures are
/// Error(store), and then nothing was merged.
///
/// A shard is not trusted: it is opened for reading, its schema must be nearfar's to the letter (no triggers, no views
/// or tables of its own), only known columns are copied, sizes are limited, paths stay beneath their locations, and a
/// cell's or config's identity must have the hash that is its key.
///
/// Rules.
/// - A run is one attempt, known by its uid: merging again adds nothing. Runs that have not ended are left out.
/// - All attempts of a cell are kept, numbered anew. The valid one is the newest (by uid, which begins with the time of
///   claiming) of those that ended well; for cells of a trained model those that lie where its valid training lies come
///   first, so that a model's numbers are those of its checkpoint. A cell without one has the state that the newest of
///   its runs left it in.
/// - Two good runs of one cell whose numbers differ by more than `tolerance` both get the flag "runs-disagree", which
///   every report shows, and an event.
/// - Locations: what lies beside a shard is found from the merged database, too, as long as it stays there.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

inline constexpr double kMergeTolerance = 0.001;  ///< a fraction: a tenth of a percentage point
inline constexpr const char* kDisagreeFlag = "runs-disagree";

struct MergeOptions {
  /// Benchmarks of one name whose image sets have other contents; they stay boards of their own.
  bool allow_mixed = false;
  double tolerance = kMergeTolerance;  ///< of fractions (metrics, validation accuracy)
};

struct MergedShard {
  std::filesystem::path file = {};
  std::int64_t cells = 0, new_cells = 0;
  std::int64_t runs = 0, new_runs = 0;    ///< that have ended
  std::int64_t unfinished = 0;            ///< runs left out
  std::filesystem::path missing_at = {};  ///< where its files should lie, if they do not; empty: they are there
};

/// Two good runs of one cell.
struct Disagreement {
  std::string key = {}, label = {};
  std::string what = {};             ///< "ood near/cousins auroc": where they differ most
  double smallest = 0, largest = 0;  ///< fractions
  std::int64_t runs = 0;
  std::string kept_uid = {};  ///< the valid one
};

struct MergeSummary {
  std::vector<MergedShard> shards = {};
  std::vector<Disagreement> disagreements = {};   ///< in cells that got new runs; by label
  std::int64_t cells = 0, results = 0, runs = 0;  ///< of the merged database
  std::int64_t flagged = 0;                       ///< valid results of it that disagree with others
};

/// Adds the shards to `target`, which is made if need be. Error(config) where it is one of them.
MergeSummary merge_databases(const std::filesystem::path& target, std::span<const std::filesystem::path> shards,
                             const MergeOptions& options = {});

}  // namespace nearfar
