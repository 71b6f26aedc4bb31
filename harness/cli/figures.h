#pragma once
/// Figures as files.
#include "plot/figure.h"
#include "store/results.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// A name that is a file's everywhere: letters, digits, '-', '_' and '.' of `text`, other characters as '-', at most 80
/// of them, no dot in front. Where that is not the text itself, eight digits of its hash follow: two texts have two
/// names.
std::string safe_file_name(std::string_view text);

/// Writes PREFIX-ID.svg and .csv for each figure into the folder, which is made if needed, and prints each file.
/// Error(data).
void write_figures(const std::filesystem::path& folder, const std::string& prefix,
                   std::span<const plot::Figure> figures);

/// What the training of a result's model wrote down; empty where the model was made elsewhere.
std::vector<CurvePoint> read_curves(const ResultStore& results, const std::string& model_key);

}  // namespace nearfar
