#pragma once
/// From score files to metric rows. Reads files; safe from any thread.
#include "store/types.h"
#include "wire/jobs.h"

#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

/// One set's scores: `name` as in the benchmark ("test", "near/clothes").
struct ScoreFile {
  std::string name;
  std::filesystem::path file;  ///< .npy, [N] float32 or float64, higher = more OOD
};

/// Every metric of every near, far and control set under each protocol: ID is `test`, pooled with the protocol's csid
/// sets. Error(data) for a NaN, an infinity or an empty set, naming the file.
std::vector<MetricRow> metric_rows(const std::vector<ScoreFile>& scores, const std::vector<wire::Protocol>& protocols);

}  // namespace nearfar
