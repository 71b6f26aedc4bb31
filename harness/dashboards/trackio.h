#pragma once
/// A project of trackio (0.24 and newer): one SQLite file for each of our experiments, a run for every cell.
#include "dashboards/source.h"

#include <filesystem>

namespace nearfar {

/// Into an empty folder, to be named by TRACKIO_DIR. Error(data) where a file cannot be written.
void export_trackio(const ExportSource& source, const std::filesystem::path& folder);

}  // namespace nearfar
