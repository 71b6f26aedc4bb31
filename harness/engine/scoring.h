#pragma once
/// Fit and score of one postprocessor on one model's feature folder. Used by `score` and by eval groups.
#include "features/folder.h"
#include "host/call.h"

#include <filesystem>
#include <functional>
#include <string>

namespace nearfar {

/// Finds the columns that a postprocessor's observe() (or, `fitted`, observe_fitted()) kept of a set. Empty: there are
/// none.
using Columns = std::function<at::Tensor(const std::string& set, bool fitted)>;

/// Hands the postprocessor what it declared. Returns wall seconds.
double fit(PostprocessorHandle& postprocessor, const FeatureFolder& folder, const Columns& columns = {});

/// [N] float32 or float64, as the postprocessor gives it, in blocks of rows so that memory does not grow with the set.
at::Tensor score_set(const PostprocessorHandle& postprocessor, const FeatureFolder& folder, const std::string& set,
                     const Columns& columns = {});

/// .npy of the scores' type, atomically.
void save_scores(const std::filesystem::path& file, const at::Tensor& scores);

}  // namespace nearfar
