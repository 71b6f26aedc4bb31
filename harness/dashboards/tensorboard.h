#pragma once
/// Event files for TensorBoard: a run for every cell, with its training curves, its final numbers (fractions, float32:
/// TensorBoard's scalars), what it is as text, and its factors for the HPARAMS tab.
#include "dashboards/source.h"

#include <filesystem>

namespace nearfar {

/// Into an empty folder. Errors of replace_export() and of the store.
void export_tensorboard(const ExportSource& source, const std::filesystem::path& folder);

}  // namespace nearfar
