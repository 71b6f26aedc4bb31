#pragma once
/// Private to store/: one shard into the database of a merge, within its transaction.
#include "store/merge.h"
#include "store/shard.h"
#include "store/sqlite_database.h"

#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// Adds what `shard` has and `target` lacks; appends to `disagreements`. Error(store): the caller undoes all of it.
MergedShard merge_shard(SqliteDatabase& target, const Shard& shard, const MergeOptions& options,
                        std::vector<Disagreement>& disagreements);

/// Part of it: true if there was a benchmark that the target lacked.
bool merge_benchmarks(SqliteDatabase& target, const Shard& shard, bool allow_mixed);

/// Chooses the valid run of a cell that got new runs, by the rules of merge.h; numbers its attempts; sets its state.
struct ShardCell {
  std::string key = {}, label = {}, state = {}, message = {};  ///< as the shard has it
  std::vector<std::string> good_uids = {};                     ///< of the shard's runs that ended well, if it is ok
};
void settle_cell(SqliteDatabase& target, const ShardCell& cell);

/// The greatest difference between good runs of a cell, where it is more than `tolerance`; sets or takes away the flag.
std::optional<Disagreement> compare_runs(SqliteDatabase& target, const ShardCell& cell, double tolerance);

}  // namespace nearfar
