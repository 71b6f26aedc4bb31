#pragma once
/// Private to store/: what a Store holds.
#include "store/database.h"
#include "store/store.h"

namespace nearfar {

struct Store::Impl {
  Database database;

  void add_metrics(std::int64_t run, const std::vector<MetricRow>& rows);
  void add_artifacts(std::int64_t run, const std::vector<ArtifactRow>& rows);
  void add_event(std::string_view level, std::string_view cell_key, std::string_view message);
  /// Ends a run that is its cell's current attempt, else Error(store).
  void end_run(std::int64_t run, CellState run_state, CellState cell_state, std::string_view message);
  /// A cell whose owner on this host is gone goes back to planned. True if it was so.
  bool release_if_stale(std::string_view key);
};

/// "b;a;;b" → "a;b".
std::string canonical_flags(std::string_view flags);

}  // namespace nearfar
