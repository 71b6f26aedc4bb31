#pragma once
/// What a results database claims, with what it gives as evidence: for those who check it (bundle/verify.h). The
/// database is not trusted: it is opened as merge.h says. Safe from any thread. Failures are Error(store).
#include "store/types.h"

#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

/// A run that ended well, of a cell that is ok. A cell may have several: merge chooses among all of them.
struct EvidenceRun {
  std::string uid = {};
  CellRecord cell = {};                     ///< without factors; its flags are those of cell and run, canonical
  std::filesystem::path folder = {};        ///< what its paths lie beneath; empty: on another host
  bool beside = true;                       ///< that folder is the database's, or beneath it
  std::vector<MetricRow> metrics = {};      ///< in the order of their names
  std::vector<ScoreSetRow> scores = {};     ///< by set
  std::vector<ArtifactRow> artifacts = {};  ///< by name
};

struct StoredEvidence {
  std::vector<EvidenceRun> runs = {};              ///< by cell key, then uid
  std::vector<ExperimentRecord> experiments = {};  ///< by name, then hash
  std::vector<BenchmarkRecord> benchmarks = {};    ///< by name, then data hash
  std::vector<std::string> damage = {};            ///< what SQLite's integrity_check finds; empty: the file is whole
};

StoredEvidence read_evidence(const std::filesystem::path& database);

}  // namespace nearfar
