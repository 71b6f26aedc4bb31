#pragma once
/// Model cards for Hugging Face: a folder for each model with README.md, whose head has the results as `model-index`,
/// and, where the benchmarks are data sets on the Hub, `.eval_results/*.yaml`.
/// Formats: huggingface_hub's ModelCardData and EvalResultEntry; https://huggingface.co/docs/hub/eval-results
#include "dashboards/source.h"

#include <filesystem>
#include <string>

namespace nearfar {

/// Into an empty folder. `hub`: who on the Hub has the benchmarks as data sets ("my-group": benchmark "cifar10" is
/// my-group/cifar10); "" = nobody, and no .eval_results are written: they name a data set on the Hub.
/// Error(nothing) if no evaluation is among the cells.
void export_hugging_face(const ExportSource& source, const std::string& hub, const std::filesystem::path& folder);

}  // namespace nearfar
