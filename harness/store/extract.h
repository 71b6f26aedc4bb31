#pragma once
/// A part of a results database as a database of its own, to be given away: chosen evaluations with their models, and
/// nothing of the machine that made them. Safe from any thread. Failures are Error(store), and then there is no target.
///
/// Of each cell the valid run alone is copied. Owners, hosts, log files, messages, the experiments' paths and the
/// events are left out; of paths in parameters the file's name stays. Files are meant to lie beside the target, at
/// names that follow from the cell: scores/KEY/SET.npy, checkpoints/KEY/FILE. The same rows give the same bytes,
/// whatever else the source holds.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

struct ExtractedFile {
  std::filesystem::path from = {};  ///< where it lies now; empty: on another host
  std::string path = {};            ///< where the target looks for it, relative to its folder
  std::string sha256 = {};          ///< that the run wrote
  bool checkpoint = false;          ///< else scores
};

struct Extraction {
  std::int64_t evaluations = 0, models = 0, cells = 0;  ///< cells: of all kinds
  std::vector<ExtractedFile> files = {};                ///< by path
};

/// `evaluations`: keys of eval cells that are ok. `experiment`: only configs of this name come along; "" = those of all
/// that have one of the cells. Error(config) where a text that cannot be left out (a config, a cell's identity or
/// label) names a folder of this machine.
Extraction extract_cells(const std::filesystem::path& database, std::span<const std::string> evaluations,
                         const std::string& experiment, const std::filesystem::path& target);

}  // namespace nearfar
