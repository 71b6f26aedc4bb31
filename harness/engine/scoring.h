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

/// Hands the postprocessor what it declared, on `device`. Returns wall seconds. DeviceOutOfMemory where that, or what
/// the postprocessor makes of it, does not fit.
double fit(PostprocessorHandle& postprocessor, const FeatureFolder& folder, at::Device device,
           const Columns& columns = {});

/// [N] float32 or float64 on the host, as the postprocessor gives it, in blocks of rows so that memory does not grow
/// with the set; in smaller ones where a device's memory is too small for these. `device`: that of fit().
at::Tensor score_set(const PostprocessorHandle& postprocessor, const FeatureFolder& folder, const std::string& set,
                     at::Device device, const Columns& columns = {});

/// .npy of the scores' type, atomically.
void save_scores(const std::filesystem::path& file, const at::Tensor& scores);

}  // namespace nearfar
