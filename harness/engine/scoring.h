#pragma once
/// Fit and score of one postprocessor on one model's feature folder. Used by `score` and by eval groups.
#include "features/folder.h"
#include "host/call.h"

#include <filesystem>
#include <string>

namespace nearfar {

/// Hands the postprocessor what it declared. Returns wall seconds.
double fit(PostprocessorHandle& postprocessor, const FeatureFolder& folder);

/// [N] float32, in blocks of rows so that memory does not grow with the set.
at::Tensor score_set(const PostprocessorHandle& postprocessor, const FeatureFolder& folder, const std::string& set);

/// Float32 .npy, atomically.
void save_scores(const std::filesystem::path& file, const at::Tensor& scores);

}  // namespace nearfar
