#pragma once
/// A file store of MLflow, mlruns/: an experiment for each of ours, a run for every cell with its factors as
/// parameters, its numbers and curves as metrics, and where they come from as tags. MLflow 2 reads it as it is, MLflow
/// 3 after `mlflow migrate-filestore` or with MLFLOW_ALLOW_FILE_STORE=true.
#include "dashboards/source.h"

#include <filesystem>

namespace nearfar {

/// Into an empty folder, which will have the name `target`: MLflow's files have absolute paths of artifacts.
void export_mlflow(const ExportSource& source, const std::filesystem::path& folder,
                   const std::filesystem::path& target);

}  // namespace nearfar
